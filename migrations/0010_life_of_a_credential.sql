-- What becomes of a credential after it was signed: its place in a public
-- status list, what happened to it, which one replaced it; keys that were
-- withdrawn from a day on; and the issuers that an institution knows.

-- Only the service's own work reads the lists: shuffle is the secret order in
-- which places are handed out. taken only grows, so a place that was handed out
-- is never handed out again, whatever became of the transaction that wanted it.
create table status_list (
  institution_id text collate "C" not null references institution,
  number integer not null,
  purpose text not null,
  size integer not null,
  taken integer not null default 0,
  shuffle bytea not null,
  created_at timestamptz not null,
  content_hash bytea,
  document text compression lz4,
  published_at timestamptz,
  primary key (institution_id, number),
  constraint status_list_purpose_known check (purpose in ('revocation', 'suspension')),
  constraint status_list_large_enough check (size >= 131072 and size & (size - 1) = 0),
  constraint status_list_taken_within check (taken between 0 and size),
  constraint status_list_shuffle_is_256_bits check (octet_length(shuffle) = 32),
  constraint status_list_published_whole check ((document is null) = (published_at is null) and (document is null) = (content_hash is null))
);
call guard_rows('status_list', '{system}', '{system}');
revoke delete on status_list from testamur_app;

alter table credential
  add status text not null default 'active',
  add status_list integer,
  add status_index integer,
  add supersedes text collate "C",
  add valid_until timestamptz,
  drop constraint credential_state_known,
  add constraint credential_state_known check (state in ('drafted', 'issued', 'discarded')),
  add constraint credential_status_known check (status in ('active', 'suspended', 'revoked')),
  add constraint credential_status_of_issued check (status = 'active' or state = 'issued'),
  add constraint credential_status_place_whole check ((status_list is null) = (status_index is null)),
  add constraint credential_expires_after_draft check (valid_until > drafted_at),
  add foreign key (institution_id, supersedes) references credential;

create unique index credential_status_place_once on credential (institution_id, status_list, status_index) where status_index is not null;
create index credential_not_active on credential (institution_id, status_list, status_index) where status <> 'active';
create index credential_left_drafted on credential (institution_id, drafted_at) where state = 'drafted';
create unique index credential_superseded_once on credential (institution_id, supersedes) where supersedes is not null and state = 'issued';

-- The same content may be signed again to replace what it supersedes.
drop index credential_once_per_content;
create unique index credential_once_per_content on credential (institution_id, assertion_id, content_hash, coalesce(supersedes, ''))
  where kind = 'achievement' and state <> 'discarded';
drop index credential_draft_once_per_content;
create unique index credential_draft_once_per_content on credential (institution_id, learner_id, content_hash, coalesce(supersedes, ''))
  where kind = 'record' and state = 'drafted';

-- What was signed is final, whoever asks.
create function credential_is_final() returns trigger language plpgsql as $$
begin
  if (new.document, new.content_hash, new.key_id, new.status_list, new.status_index, new.supersedes, new.valid_until, new.drafted_at, new.issued_at, new.state)
    is distinct from (old.document, old.content_hash, old.key_id, old.status_list, old.status_index, old.supersedes, old.valid_until, old.drafted_at, old.issued_at, old.state) then
    raise exception 'what was signed is not changed' using errcode = 'check_violation', constraint = 'credential_is_final';
  end if;
  if old.status = 'revoked' and new.status <> 'revoked' then
    raise exception 'a revocation is final' using errcode = 'check_violation', constraint = 'credential_revocation_is_final';
  end if;
  return new;
end $$;
create trigger credential_is_final before update on credential
  for each row when (old.state <> 'drafted') execute function credential_is_final();

-- What happened to a credential after it was issued.
create table credential_event (
  institution_id text collate "C" not null,
  credential_id text collate "C" not null,
  position integer not null,
  learner_id text collate "C" not null,
  kind text not null,
  at timestamptz not null,
  by_id text not null,
  cause text,
  reason text not null default '',
  primary key (institution_id, credential_id, position),
  foreign key (institution_id, credential_id) references credential,
  constraint credential_event_kind_known check (kind in ('suspended', 'lifted', 'revoked', 'superseded')),
  constraint credential_event_cause_known check (cause in ('issued_in_error', 'withdrawn', 'superseded', 'key_compromised', 'misconduct', 'other')),
  constraint credential_event_cause_of_revocation check ((kind = 'revoked') = (cause is not null))
);
call guard_learner_rows('credential_event', 'learner_id', '{registrar,system}');
revoke update, delete on credential_event from testamur_app;

-- What an institution wants done by itself.
create table issuing_policy (
  institution_id text collate "C" primary key references institution,
  issue_on_award boolean not null,
  updated_at timestamptz not null,
  updated_by text not null
);
call guard_rows('issuing_policy', '{administrator,registrar,program_designer,assessor,system}', '{administrator,system}');

-- From when on a key was in other hands: what it signed since does not verify.
alter table signing_key
  add compromised_from timestamptz,
  add constraint signing_key_compromise_dated check ((state = 'compromised') = (compromised_from is not null)) not valid;

-- The issuers whom an institution knows, and how it came to know them.
create table known_issuer (
  institution_id text collate "C" not null references institution,
  id text collate "C" not null,
  name text not null,
  issuer text collate "C" not null,
  since date,
  until date,
  source text not null default '',
  version integer not null default 1,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  updated_by text not null,
  primary key (institution_id, id),
  constraint known_issuer_name_not_empty check (name <> ''),
  constraint known_issuer_once unique (institution_id, issuer),
  constraint known_issuer_in_order check (since <= until)
);
call guard_rows('known_issuer', '{administrator,registrar,program_designer,assessor,system}', '{administrator,registrar,system}');
