-- Records of several types: what each holds is data that an institution may
-- revise, in versions. A learner has a series of versions of each type, and of
-- each choice that was made within one.

-- The types that come with the service are not in here until they are revised.
create table record_type (
  institution_id text collate "C" not null references institution,
  key text collate "C" not null,
  version integer not null,
  definition jsonb not null,
  recorded_at timestamptz not null,
  recorded_by text not null,
  primary key (institution_id, key, version),
  constraint record_type_key_form check (key ~ '^[a-z][a-z0-9_]{0,39}$'),
  constraint record_type_version_from_one check (version >= 1)
);
call guard_rows('record_type',
  '{administrator,registrar,program_designer,assessor,learner,system}', '{registrar,system}');
revoke update, delete on record_type from testamur_app;

-- What grades are worth, in versions; the latest holds.
create table grading_policy (
  institution_id text collate "C" not null references institution,
  version integer not null,
  definition jsonb not null,
  recorded_at timestamptz not null,
  recorded_by text not null,
  primary key (institution_id, version),
  constraint grading_policy_version_from_one check (version >= 1)
);
call guard_rows('grading_policy',
  '{administrator,registrar,program_designer,assessor,learner,reader,visitor,system}', '{registrar,system}');
revoke update, delete on grading_policy from testamur_app;

-- frame is what a record is printed with beside what was signed: its type, and
-- how it is laid out. Without one it is a full record of the time before types.
alter table record
  add type text collate "C" not null default 'full',
  add type_version integer not null default 1,
  add series text collate "C" not null default 'full',
  add frame jsonb,
  drop constraint record_version_once,
  add constraint record_version_once unique (institution_id, learner_id, series, version);
create index record_newest on record (institution_id, learner_id, assembled_at desc, id desc);

-- A summary is signed beside the awards: it tells of credits, grade points and
-- requirements, and is of no award.
alter table credential
  drop constraint credential_kind_known,
  add constraint credential_kind_known check (kind in ('achievement', 'record', 'summary'));
drop index credential_draft_once_per_content;
create unique index credential_draft_once_per_content on credential (institution_id, kind, learner_id, content_hash, coalesce(supersedes, ''))
  where kind <> 'achievement' and state = 'drafted';
