-- Links that a learner gives out. The token is not kept, only its hash; what a
-- link shows, to whom and what for is never changed.

create table share (
  institution_id text collate "C" not null,
  id text collate "C" not null,
  learner_id text collate "C" not null,
  kind text not null,
  record_id text collate "C",
  credential_id text collate "C",
  recipient text not null,
  address text,
  open boolean not null,
  purpose text not null,
  language text not null,
  printed_name text not null,
  presentation text compression lz4,
  consent_id text collate "C" not null,
  order_id text collate "C",
  token_hash bytea not null,
  pin_hash text,
  pin_tries integer not null default 0,
  pin_locked_until timestamptz,
  max_openings integer,
  openings integer not null default 0,
  notify boolean not null,
  created_at timestamptz not null,
  created_by text not null,
  expires_at timestamptz not null,
  ended_at timestamptz,
  ended_by text,
  primary key (institution_id, id),
  foreign key (institution_id, learner_id) references learner,
  foreign key (institution_id, record_id) references record,
  foreign key (institution_id, credential_id) references credential,
  foreign key (institution_id, consent_id) references consent,
  constraint share_token_once unique (institution_id, token_hash),
  constraint share_token_is_sha256 check (octet_length(token_hash) = 32),
  constraint share_kind_known check (kind in ('record', 'items')),
  constraint share_of_record check ((kind = 'record') = (record_id is not null) and (record_id is null) = (credential_id is null)),
  constraint share_names_whom check (recipient <> '' and purpose <> ''),
  constraint share_openings_within check (openings >= 0 and (max_openings is null or openings <= max_openings)),
  constraint share_ended_whole check ((ended_at is null) = (ended_by is null))
);
create index share_of_learner on share (institution_id, learner_id, created_at desc, id desc);
create index share_of_record_credential on share (institution_id, credential_id) where credential_id is not null;
call guard_own_rows('share', '{administrator,registrar,system}', '{system}');
revoke update on share from testamur_app;
grant update (token_hash, pin_hash, pin_tries, pin_locked_until, openings, ended_at, ended_by) on share to testamur_app;

-- The credentials that a share shows, in its order; document is what is shown in
-- place of the stored one, where a part was chosen.
create table share_item (
  institution_id text collate "C" not null,
  share_id text collate "C" not null,
  position integer not null,
  learner_id text collate "C" not null,
  credential_id text collate "C" not null,
  parts text[],
  document text compression lz4,
  primary key (institution_id, share_id, position),
  foreign key (institution_id, share_id) references share,
  foreign key (institution_id, credential_id) references credential,
  constraint share_item_part_is_derived check (parts is null or document is not null)
);
create index share_item_of_credential on share_item (institution_id, credential_id);
call guard_own_rows('share_item', '{administrator,registrar,system}', '{system}');
revoke update on share_item from testamur_app;
