-- Competency frameworks as CASE gives them. The columns are what is asked for;
-- source keeps each object as it came in, so that it can go out again equal.

create table framework (
  institution_id text collate "C" not null references institution,
  id text collate "C" not null,
  ref_system text,
  ref_value text,
  identifier text not null,
  uri text not null,
  case_version text not null,
  title text not null,
  creator text not null,
  publisher text,
  description text,
  language text,
  framework_version text,
  adoption_status text,
  status_start_on date,
  status_end_on date,
  changed_at timestamptz not null,
  source text compression lz4 not null,
  definitions text compression lz4,
  extensions text compression lz4,
  content_hash bytea not null,
  version integer not null default 1,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  primary key (institution_id, id),
  constraint framework_identifier_once unique (institution_id, identifier),
  constraint framework_ref_once unique (institution_id, ref_system, ref_value),
  constraint framework_ref_whole check ((ref_system is null) = (ref_value is null)),
  constraint framework_case_version_known check (case_version in ('1.0', '1.1'))
);
call guard_rows('framework',
  '{administrator,registrar,program_designer,assessor,learner,reader,visitor,system}', '{program_designer,registrar,system}');

create table framework_item (
  institution_id text collate "C" not null,
  framework_id text collate "C" not null,
  id text collate "C" not null,
  identifier text not null,
  uri text not null,
  full_statement text not null,
  abbreviated_statement text,
  human_coding_scheme text,
  list_enumeration text,
  item_type text,
  education_level text[] not null default '{}',
  concept_keywords text[] not null default '{}',
  language text,
  notes text,
  status_start_on date,
  status_end_on date,
  changed_at timestamptz not null,
  position integer not null,
  retired_at timestamptz,
  source text compression lz4 not null,
  primary key (institution_id, id),
  foreign key (institution_id, framework_id) references framework,
  constraint framework_item_identifier_once unique (institution_id, framework_id, identifier)
);
create index framework_item_by_identifier on framework_item (institution_id, identifier);
create index framework_item_by_uri on framework_item (institution_id, uri);
create index framework_item_in_order on framework_item (institution_id, framework_id, position);
call guard_rows('framework_item',
  '{administrator,registrar,program_designer,assessor,learner,reader,visitor,system}', '{program_designer,registrar,system}');

-- Ends are CASE identifiers: they may lie in another framework, or nowhere here.
create table framework_association (
  institution_id text collate "C" not null,
  framework_id text collate "C" not null,
  id text collate "C" not null,
  identifier text not null,
  type text not null,
  origin_identifier text not null,
  origin_uri text not null,
  destination_identifier text not null,
  destination_uri text not null,
  sequence_number integer,
  changed_at timestamptz not null,
  position integer not null,
  source text compression lz4 not null,
  primary key (institution_id, id),
  foreign key (institution_id, framework_id) references framework,
  constraint framework_association_identifier_once unique (institution_id, framework_id, identifier)
);
create index framework_association_by_origin on framework_association (institution_id, origin_identifier, type);
create index framework_association_by_destination on framework_association (institution_id, destination_identifier, type);
call guard_rows('framework_association',
  '{administrator,registrar,program_designer,assessor,learner,reader,visitor,system}', '{program_designer,registrar,system}');

create table rubric (
  institution_id text collate "C" not null,
  framework_id text collate "C" not null,
  id text collate "C" not null,
  identifier text not null,
  uri text not null,
  title text,
  description text,
  position integer not null,
  source text compression lz4 not null,
  primary key (institution_id, id),
  foreign key (institution_id, framework_id) references framework,
  constraint rubric_identifier_once unique (institution_id, framework_id, identifier)
);
call guard_rows('rubric',
  '{administrator,registrar,program_designer,assessor,learner,reader,visitor,system}', '{program_designer,registrar,system}');

create table rubric_criterion (
  institution_id text collate "C" not null,
  rubric_id text collate "C" not null,
  id text collate "C" not null,
  identifier text not null,
  uri text not null,
  category text,
  description text,
  item_identifier text,
  weight double precision,
  position integer not null,
  primary key (institution_id, id),
  foreign key (institution_id, rubric_id) references rubric on delete cascade
);
create index rubric_criterion_of_rubric on rubric_criterion (institution_id, rubric_id, position);
create index rubric_criterion_of_item on rubric_criterion (institution_id, item_identifier);
call guard_rows('rubric_criterion',
  '{administrator,registrar,program_designer,assessor,learner,reader,visitor,system}', '{program_designer,registrar,system}');

create table rubric_level (
  institution_id text collate "C" not null,
  criterion_id text collate "C" not null,
  id text collate "C" not null,
  identifier text not null,
  uri text not null,
  quality text,
  description text,
  feedback text,
  score double precision,
  position integer not null,
  primary key (institution_id, id),
  foreign key (institution_id, criterion_id) references rubric_criterion on delete cascade
);
create index rubric_level_of_criterion on rubric_level (institution_id, criterion_id, position);
create index rubric_level_by_uri on rubric_level (institution_id, uri);
call guard_rows('rubric_level',
  '{administrator,registrar,program_designer,assessor,learner,reader,visitor,system}', '{program_designer,registrar,system}');
