-- What has to be issued anew after something was corrected: a list that waits for
-- approval, and is then worked off, one thing after the other.

create table correction (
  institution_id text collate "C" not null,
  id text collate "C" not null,
  learner_id text collate "C" not null,
  cause text not null,
  subject text collate "C" not null,
  reason text not null,
  state text not null,
  proposed_at timestamptz not null,
  proposed_by text not null,
  decided_at timestamptz,
  decided_by text,
  finished_at timestamptz,
  primary key (institution_id, id),
  foreign key (institution_id, learner_id) references learner,
  constraint correction_cause_known check (cause in ('learner', 'award', 'credential')),
  constraint correction_state_known check (state in ('open', 'running', 'done', 'declined')),
  constraint correction_reasoned check (reason <> ''),
  constraint correction_decision_whole check ((state = 'open') = (decided_at is null) and (decided_at is null) = (decided_by is null)),
  constraint correction_finished_dated check ((state in ('done', 'declined')) = (finished_at is not null))
);
-- One list of each subject waits at a time.
create unique index correction_open_once on correction (institution_id, cause, subject) where state in ('open', 'running');
create index correction_newest on correction (institution_id, proposed_at desc, id desc);
create index correction_of_learner on correction (institution_id, learner_id);
call guard_rows('correction', '{administrator,registrar,program_designer,assessor,system}', '{registrar,system}');
revoke delete on correction from testamur_app;

create table correction_item (
  institution_id text collate "C" not null,
  correction_id text collate "C" not null,
  position integer not null,
  credential_id text collate "C",
  record_id text collate "C",
  why text not null,
  state text not null,
  new_credential_id text collate "C",
  new_record_id text collate "C",
  message text not null default '',
  primary key (institution_id, correction_id, position),
  foreign key (institution_id, correction_id) references correction,
  foreign key (institution_id, credential_id) references credential,
  foreign key (institution_id, record_id) references record,
  foreign key (institution_id, new_credential_id) references credential,
  foreign key (institution_id, new_record_id) references record,
  constraint correction_item_is_one_thing check ((credential_id is null) <> (record_id is null)),
  constraint correction_item_state_known check (state in ('open', 'declined', 'approved', 'done', 'failed'))
);
call guard_rows('correction_item', '{administrator,registrar,program_designer,assessor,system}', '{registrar,system}');
revoke delete on correction_item from testamur_app;
