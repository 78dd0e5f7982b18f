-- What a learner holds is worked out from what is on file; kept are the rules by
-- which it is, in versions, and what assertions said before they were changed, so
-- that a state can be told as it was known on any day.

create table mastery_rule (
  institution_id text collate "C" not null references institution,
  id text collate "C" not null,
  framework_id text collate "C",
  item_id text collate "C",
  branch boolean not null default false,
  version integer not null default 1,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  retired_at timestamptz,
  primary key (institution_id, id),
  foreign key (institution_id, framework_id) references framework,
  foreign key (institution_id, item_id) references framework_item,
  constraint mastery_rule_of_one_thing check (framework_id is null or item_id is null),
  constraint mastery_rule_branch_of_item check (not branch or item_id is not null)
);
create unique index mastery_rule_once on mastery_rule (institution_id, coalesce(framework_id, ''), coalesce(item_id, '')) where retired_at is null;
call guard_rows('mastery_rule',
  '{administrator,registrar,program_designer,assessor,learner,reader,visitor,system}', '{program_designer,registrar,system}');
revoke delete on mastery_rule from testamur_app;

-- Every version that ever was. The latest whose day has begun holds; one that is
-- retired says that from its day on the rule does not hold any more.
create table mastery_rule_version (
  institution_id text collate "C" not null,
  rule_id text collate "C" not null,
  version integer not null,
  name text not null,
  definition jsonb not null,
  effective_on date not null,
  retired boolean not null default false,
  recorded_at timestamptz not null,
  recorded_by text not null,
  primary key (institution_id, rule_id, version),
  foreign key (institution_id, rule_id) references mastery_rule,
  constraint mastery_rule_name_not_empty check (name <> '')
);
call guard_rows('mastery_rule_version',
  '{administrator,registrar,program_designer,assessor,learner,reader,visitor,system}', '{program_designer,registrar,system}');
revoke update, delete on mastery_rule_version from testamur_app;

-- What changes whenever the rules or the curriculum map do, so that a process
-- knows when what it keeps in memory is old. A stamp is never used twice: it
-- holds the number of the transaction that made it.
create table mastery_stamp (
  institution_id text collate "C" not null references institution,
  part text collate "C" not null,
  stamp text collate "C" not null,
  count bigint not null,
  primary key (institution_id, part),
  constraint mastery_stamp_part_known check (part in ('rules', 'curriculum'))
);
call guard_rows('mastery_stamp',
  '{administrator,registrar,program_designer,assessor,learner,reader,visitor,system}', '{program_designer,registrar,system}');

create function mastery_touch() returns trigger language plpgsql as $$
begin
  insert into mastery_stamp as s (institution_id, part, stamp, count)
    select distinct institution_id, tg_argv[0], pg_current_xact_id()::text || '.1', 1 from touched
    on conflict (institution_id, part) do update set count = s.count + 1, stamp = pg_current_xact_id()::text || '.' || (s.count + 1)::text;
  return null;
end $$;
create trigger rules_touched after insert on mastery_rule_version
  referencing new table as touched for each statement execute function mastery_touch('rules');
create trigger curriculum_added after insert on course_competency
  referencing new table as touched for each statement execute function mastery_touch('curriculum');
create trigger curriculum_changed after update on course_competency
  referencing new table as touched for each statement execute function mastery_touch('curriculum');
create trigger curriculum_removed after delete on course_competency
  referencing old table as touched for each statement execute function mastery_touch('curriculum');

-- What an assertion said before it was corrected or withdrawn, and from when to
-- when that was what was on file.
create table assertion_past (
  institution_id text collate "C" not null,
  assertion_id text collate "C" not null,
  version integer not null,
  learner_id text collate "C" not null,
  achievement_id text collate "C" not null,
  achievement_version integer not null,
  achieved_on date not null,
  recorded_at timestamptz not null,
  grade text,
  credits_earned numeric(8, 3),
  results jsonb not null,
  withdrawn_at timestamptz,
  withdrawn_reason text,
  known_from timestamptz not null,
  known_until timestamptz not null,
  primary key (institution_id, assertion_id, version),
  foreign key (institution_id, assertion_id) references assertion,
  constraint assertion_past_in_order check (known_from <= known_until)
);
create index assertion_past_of_learner on assertion_past (institution_id, learner_id);
call guard_learner_rows('assertion_past', 'learner_id', '{registrar,assessor,system}');
revoke update, delete on assertion_past from testamur_app;

create function assertion_keep_past() returns trigger language plpgsql as $$
begin
  insert into assertion_past (institution_id, assertion_id, version, learner_id, achievement_id, achievement_version, achieved_on, recorded_at,
      grade, credits_earned, results, withdrawn_at, withdrawn_reason, known_from, known_until)
    select w.institution_id, w.id, w.version, w.learner_id, w.achievement_id, w.achievement_version, w.achieved_on, w.recorded_at,
      w.grade, w.credits_earned, w.results, w.withdrawn_at, w.withdrawn_reason, least(w.updated_at, n.updated_at), n.updated_at
    from was w
    join present n on n.institution_id = w.institution_id and n.id = w.id
    where n.version <> w.version;
  return null;
end $$;
create trigger assertion_past_kept after update on assertion
  referencing old table as was new table as present for each statement execute function assertion_keep_past();

create index assertion_withdrawn_of_learner on assertion (institution_id, learner_id) where withdrawn_at is not null;
