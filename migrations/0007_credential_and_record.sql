-- What was signed. document holds the exact bytes; they are never changed.

create table credential (
  institution_id text collate "C" not null,
  id text collate "C" not null,
  kind text not null,
  state text not null,
  learner_id text collate "C" not null,
  assertion_id text collate "C",
  assertion_version integer,
  key_id text collate "C" not null,
  content_hash bytea not null,
  draft text compression lz4,
  document text compression lz4,
  drafted_at timestamptz not null,
  issued_at timestamptz,
  issued_by text not null,
  primary key (institution_id, id),
  foreign key (institution_id, learner_id) references learner,
  foreign key (institution_id, assertion_id) references assertion,
  foreign key (institution_id, key_id) references signing_key,
  constraint credential_kind_known check (kind in ('achievement', 'record')),
  constraint credential_state_known check (state in ('drafted', 'issued')),
  constraint credential_issued_whole check ((state = 'issued') = (document is not null and issued_at is not null)),
  constraint credential_of_assertion check ((kind = 'achievement') = (assertion_id is not null))
);
create index credential_of_assertion on credential (institution_id, assertion_id, drafted_at desc);
create index credential_of_learner on credential (institution_id, learner_id, drafted_at desc);
-- A badge is issued once for its content; a record's draft that a crash left is
-- taken up again.
create unique index credential_once_per_content on credential (institution_id, assertion_id, content_hash)
  where kind = 'achievement';
create unique index credential_draft_once_per_content on credential (institution_id, learner_id, content_hash)
  where kind = 'record' and state = 'drafted';
call guard_learner_rows('credential', 'learner_id', '{registrar,system}');
revoke delete on credential from testamur_app;

create table record (
  institution_id text collate "C" not null,
  id text collate "C" not null,
  learner_id text collate "C" not null,
  version integer not null,
  content_hash bytea not null,
  credential_id text collate "C" not null,
  partial boolean not null,
  omissions jsonb not null default '[]',
  assembled_at timestamptz not null,
  assembled_by text not null,
  primary key (institution_id, id),
  foreign key (institution_id, learner_id) references learner,
  foreign key (institution_id, credential_id) references credential,
  constraint record_version_once unique (institution_id, learner_id, version)
);
call guard_learner_rows('record', 'learner_id', '{registrar,system}');
revoke update, delete on record from testamur_app;

-- The credentials that a version of a record embeds, in its order.
create table record_item (
  institution_id text collate "C" not null,
  record_id text collate "C" not null,
  position integer not null,
  learner_id text collate "C" not null,
  credential_id text collate "C" not null,
  primary key (institution_id, record_id, position),
  foreign key (institution_id, record_id) references record,
  foreign key (institution_id, credential_id) references credential
);
create index record_item_of_credential on record_item (institution_id, credential_id);
call guard_learner_rows('record_item', 'learner_id', '{registrar,system}');
revoke update, delete on record_item from testamur_app;
