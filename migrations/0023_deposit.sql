-- What learners brought: credentials of other issuers, byte for byte, with what
-- was found when they were verified. A newer copy takes the place of an older.

create table deposit (
  institution_id text collate "C" not null,
  id text collate "C" not null,
  learner_id text collate "C" not null,
  kind text not null,
  format text not null,
  issuer_id text collate "C" not null,
  issuer_name text not null,
  credential_id text collate "C" not null,
  key_hash bytea not null,
  name text not null,
  valid_from timestamptz not null,
  valid_until timestamptz,
  identity text not null,
  vouch text,
  checks jsonb not null,
  verified_at timestamptz not null,
  document text compression lz4 not null,
  version integer not null default 1,
  deposited_at timestamptz not null,
  deposited_by text not null,
  primary key (institution_id, id),
  foreign key (institution_id, learner_id) references learner,
  constraint deposit_once unique (institution_id, learner_id, key_hash),
  constraint deposit_kind_known check (kind in ('achievement', 'record')),
  constraint deposit_format_known check (format in ('json', 'jwt')),
  constraint deposit_key_is_256_bits check (octet_length(key_hash) = 32),
  constraint deposit_names_its_learner check (identity <> '' and (identity = 'vouched') = (vouch is not null))
);
create index deposit_of_learner on deposit (institution_id, learner_id, valid_from desc, id desc);
create index deposit_by_time on deposit (institution_id, kind, valid_from, id);
call guard_learner_rows('deposit', 'learner_id', '{registrar,system}');
revoke delete on deposit from testamur_app;
-- A learner brings their own, and vouches for nothing.
create policy add_own_rows on deposit for insert with check (
  institution_id = (select app_institution()) and learner_id = (select app_own_learner()) and vouch is null);
create policy change_own_rows on deposit for update using (
  institution_id = (select app_institution()) and learner_id = (select app_own_learner()))
  with check (institution_id = (select app_institution()) and learner_id = (select app_own_learner()) and vouch is null);
