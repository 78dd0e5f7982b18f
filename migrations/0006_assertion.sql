-- Who earned what, when, with which results and evidence.

create table assertion (
  institution_id text collate "C" not null,
  id text collate "C" not null,
  learner_id text collate "C" not null,
  achievement_id text collate "C" not null,
  achievement_version integer not null,
  ref_system text,
  ref_value text,
  achieved_on date not null,
  recorded_at timestamptz not null,
  recorded_by text not null,
  updated_at timestamptz not null,
  version integer not null default 1,
  term text not null default '',
  grade text,
  credits_earned numeric(8, 3),
  narrative text,
  role text,
  license_number text,
  activity_start_on date,
  activity_end_on date,
  results jsonb not null default '[]',
  evidence jsonb not null default '[]',
  withdrawn_at timestamptz,
  withdrawn_by text,
  withdrawn_reason text,
  primary key (institution_id, id),
  foreign key (institution_id, learner_id) references learner,
  foreign key (institution_id, achievement_id, achievement_version) references achievement_version,
  constraint assertion_ref_whole check ((ref_system is null) = (ref_value is null)),
  constraint assertion_withdrawal_whole check ((withdrawn_at is null) = (withdrawn_reason is null)
    and (withdrawn_at is null) = (withdrawn_by is null)),
  constraint assertion_withdrawal_reasoned check (withdrawn_reason <> ''),
  constraint assertion_activity_in_order check (activity_start_on <= activity_end_on),
  constraint assertion_credits_not_negative check (credits_earned >= 0)
);
create unique index assertion_ref_once on assertion (institution_id, ref_system, ref_value) where ref_value is not null;
create unique index assertion_once_per_activity on assertion (institution_id, learner_id, achievement_id, achieved_on, term)
  where withdrawn_at is null;
create index assertion_of_achievement on assertion (institution_id, achievement_id, achieved_on desc, id);
call guard_learner_rows('assertion', 'learner_id', '{registrar,assessor,system}');
revoke delete on assertion from testamur_app;
-- An assessor corrects and does not withdraw.
create policy withdrawn_rows on assertion as restrictive for update
  with check (withdrawn_at is null or (select app_is('registrar', 'system')));
