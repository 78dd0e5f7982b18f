-- Credential programs in versions, who is enrolled in which, what counts in place
-- of what, and what follows from a requirement that is met.

create table program (
  institution_id text collate "C" not null references institution,
  id text collate "C" not null,
  code text not null,
  version integer not null default 1,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  retired_at timestamptz,
  primary key (institution_id, id),
  constraint program_code_once unique (institution_id, code),
  constraint program_code_not_empty check (code <> '')
);
create index program_by_code on program (institution_id, code collate "C", id);
call guard_rows('program',
  '{administrator,registrar,program_designer,assessor,learner,reader,visitor,system}', '{program_designer,registrar,system}');
revoke delete on program from testamur_app;

-- Every version that ever was. The latest whose day has begun holds.
create table program_version (
  institution_id text collate "C" not null,
  program_id text collate "C" not null,
  version integer not null,
  definition jsonb not null,
  effective_on date not null,
  recorded_at timestamptz not null,
  recorded_by text not null,
  primary key (institution_id, program_id, version),
  foreign key (institution_id, program_id) references program
);
call guard_rows('program_version',
  '{administrator,registrar,program_designer,assessor,learner,reader,visitor,system}', '{program_designer,registrar,system}');
revoke update, delete on program_version from testamur_app;

-- A learner is held to the version that held on the day of enrolment, until
-- moved to another one.
create table program_enrollment (
  institution_id text collate "C" not null,
  program_id text collate "C" not null,
  learner_id text collate "C" not null,
  version integer not null,
  enrolled_on date not null,
  ended_on date,
  recorded_at timestamptz not null,
  recorded_by text not null,
  primary key (institution_id, program_id, learner_id),
  foreign key (institution_id, learner_id) references learner,
  foreign key (institution_id, program_id, version) references program_version,
  constraint program_enrollment_in_order check (enrolled_on <= ended_on)
);
create index program_enrollment_of_learner on program_enrollment (institution_id, learner_id);
call guard_learner_rows('program_enrollment', 'learner_id', '{registrar,system}');
revoke delete on program_enrollment from testamur_app;

-- For everybody where no learner is named.
create table program_equivalency (
  institution_id text collate "C" not null references institution,
  id text collate "C" not null,
  learner_id text collate "C",
  ground text not null,
  given jsonb not null,
  instead jsonb not null,
  reason text not null,
  effective_on date not null,
  approved_by text not null,
  recorded_at timestamptz not null,
  withdrawn_at timestamptz,
  primary key (institution_id, id),
  foreign key (institution_id, learner_id) references learner,
  constraint program_equivalency_ground_known check (ground in ('transfer', 'prior_learning', 'unit', 'substitution', 'waiver')),
  constraint program_equivalency_reasoned check (reason <> '')
);
create index program_equivalency_of_learner on program_equivalency (institution_id, learner_id);
call guard_learner_rows('program_equivalency', 'learner_id', '{program_designer,registrar,system}');
create policy read_general on program_equivalency for select using (institution_id = (select app_institution()) and learner_id is null
  and (select app_is('administrator', 'registrar', 'program_designer', 'assessor', 'learner', 'system')));
-- What is for one learner is approved by a registrar.
create policy approved_rows on program_equivalency as restrictive for insert
  with check (learner_id is null or (select app_is('registrar', 'system')));
revoke delete on program_equivalency from testamur_app;

-- What follows from a requirement: an award to make, or one to take back. It is
-- decided once; one of each kind is open for a learner and an achievement.
create table program_proposal (
  institution_id text collate "C" not null,
  id text collate "C" not null,
  program_id text collate "C" not null,
  version integer not null,
  learner_id text collate "C" not null,
  achievement_id text collate "C" not null,
  requirement text not null,
  kind text not null,
  state text not null,
  reason text not null,
  assertion_id text collate "C",
  proposed_at timestamptz not null,
  decided_at timestamptz,
  decided_by text,
  primary key (institution_id, id),
  foreign key (institution_id, program_id, version) references program_version,
  foreign key (institution_id, learner_id) references learner,
  foreign key (institution_id, achievement_id) references achievement,
  foreign key (institution_id, assertion_id) references assertion,
  constraint program_proposal_kind_known check (kind in ('award', 'withdraw')),
  constraint program_proposal_state_known check (state in ('open', 'accepted', 'declined', 'lapsed')),
  constraint program_proposal_decision_whole check ((state = 'open') = (decided_at is null) and (decided_at is null) = (decided_by is null)),
  constraint program_proposal_withdraws_something check (kind = 'award' or assertion_id is not null)
);
create unique index program_proposal_open_once on program_proposal (institution_id, program_id, learner_id, achievement_id, kind) where state = 'open';
create index program_proposal_of_learner on program_proposal (institution_id, learner_id, program_id);
call guard_rows('program_proposal', '{administrator,registrar,program_designer,assessor,system}', '{registrar,assessor,system}');
revoke delete on program_proposal from testamur_app;
