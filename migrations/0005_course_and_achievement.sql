-- Courses, what they teach, and achievements in versions that an award pins.

create table course (
  institution_id text collate "C" not null references institution,
  id text collate "C" not null,
  ref_system text,
  ref_value text,
  code text not null,
  title text not null,
  description text,
  credits numeric(8, 3),
  level text,
  field_of_study text,
  language text,
  version integer not null default 1,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  retired_at timestamptz,
  primary key (institution_id, id),
  constraint course_code_once unique (institution_id, code),
  constraint course_ref_once unique (institution_id, ref_system, ref_value),
  constraint course_ref_whole check ((ref_system is null) = (ref_value is null)),
  constraint course_code_not_empty check (code <> ''),
  constraint course_title_not_empty check (title <> ''),
  constraint course_credits_not_negative check (credits >= 0)
);
call guard_rows('course',
  '{administrator,registrar,program_designer,assessor,learner,reader,visitor,system}', '{program_designer,registrar,system}');

-- The curriculum map: where a course touches a competency, and how deep.
create table course_competency (
  institution_id text collate "C" not null,
  course_id text collate "C" not null,
  item_id text collate "C" not null,
  stage text not null,
  target_level text,
  created_at timestamptz not null,
  primary key (institution_id, course_id, item_id, stage),
  foreign key (institution_id, course_id) references course,
  foreign key (institution_id, item_id) references framework_item,
  constraint course_competency_stage_known check (stage in ('introduced', 'practised', 'assessed'))
);
create index course_competency_of_item on course_competency (institution_id, item_id);
call guard_rows('course_competency',
  '{administrator,registrar,program_designer,assessor,learner,reader,visitor,system}', '{program_designer,registrar,system}');

create table achievement (
  institution_id text collate "C" not null references institution,
  id text collate "C" not null,
  ref_system text,
  ref_value text,
  uri text,
  course_id text collate "C",
  version integer not null default 1,
  name text not null,
  achievement_type text not null,
  human_code text,
  content_hash bytea not null,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  retired_at timestamptz,
  primary key (institution_id, id),
  foreign key (institution_id, course_id) references course,
  constraint achievement_ref_once unique (institution_id, ref_system, ref_value),
  constraint achievement_uri_once unique (institution_id, uri),
  constraint achievement_of_course_once unique (institution_id, course_id),
  constraint achievement_ref_whole check ((ref_system is null) = (ref_value is null)),
  constraint achievement_name_not_empty check (name <> '')
);
create index achievement_by_name on achievement (institution_id, name collate "C", id);
call guard_rows('achievement',
  '{administrator,registrar,program_designer,assessor,learner,reader,visitor,system}', '{program_designer,registrar,system}');

-- Every version that ever was, whole: an award points at one for good.
create table achievement_version (
  institution_id text collate "C" not null,
  achievement_id text collate "C" not null,
  version integer not null,
  definition jsonb not null,
  content_hash bytea not null,
  recorded_at timestamptz not null,
  recorded_by text not null,
  primary key (institution_id, achievement_id, version),
  foreign key (institution_id, achievement_id) references achievement
);
call guard_rows('achievement_version',
  '{administrator,registrar,program_designer,assessor,learner,reader,visitor,system}', '{program_designer,registrar,system}');
revoke update, delete on achievement_version from testamur_app;

-- The alignments of the current version, of the achievement itself and of its
-- result descriptions and rubric levels, resolved where the target is ours.
create table achievement_alignment (
  institution_id text collate "C" not null,
  achievement_id text collate "C" not null,
  position integer not null,
  part text not null default '',
  target_type text,
  target_url text not null,
  target_name text not null,
  target_code text,
  item_id text collate "C",
  course_id text collate "C",
  primary key (institution_id, achievement_id, position),
  foreign key (institution_id, achievement_id) references achievement,
  foreign key (institution_id, item_id) references framework_item,
  foreign key (institution_id, course_id) references course
);
create index achievement_alignment_of_item on achievement_alignment (institution_id, item_id, achievement_id);
create index achievement_alignment_of_course on achievement_alignment (institution_id, course_id, achievement_id);
create index achievement_alignment_by_url on achievement_alignment (institution_id, target_url);
call guard_rows('achievement_alignment',
  '{administrator,registrar,program_designer,assessor,learner,reader,visitor,system}', '{program_designer,registrar,system}');
