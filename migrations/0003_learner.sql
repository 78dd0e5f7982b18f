-- People, every name they have had, and what other systems call them.

create table learner (
  institution_id text collate "C" not null references institution,
  id text collate "C" not null,
  ref_system text,
  ref_value text,
  display_name text not null,
  given_name text,
  family_name text,
  additional_name text,
  email text,
  birth_on date,
  did text,
  version integer not null default 1,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  primary key (institution_id, id),
  constraint learner_ref_once unique (institution_id, ref_system, ref_value),
  constraint learner_ref_whole check ((ref_system is null) = (ref_value is null)),
  constraint learner_display_name_not_empty check (display_name <> '')
);
create index learner_by_name on learner (institution_id, display_name collate "C", id);
call guard_learner_rows('learner', 'id', '{registrar,system}');

alter table api_client add constraint api_client_learner
  foreign key (institution_id, learner_id) references learner;

-- Former and present names; the present one is also in learner.
create table learner_name (
  institution_id text collate "C" not null,
  learner_id text collate "C" not null,
  position integer not null,
  display_name text not null,
  given_name text,
  family_name text,
  additional_name text,
  effective_on date not null,
  recorded_at timestamptz not null,
  recorded_by text not null,
  reason text not null default '',
  primary key (institution_id, learner_id, position),
  foreign key (institution_id, learner_id) references learner
);
call guard_learner_rows('learner_name', 'learner_id', '{registrar,system}');

create table learner_identifier (
  institution_id text collate "C" not null,
  learner_id text collate "C" not null,
  type text not null,
  value text not null,
  primary key (institution_id, learner_id, type, value),
  foreign key (institution_id, learner_id) references learner,
  constraint learner_identifier_value_not_empty check (value <> '')
);
create unique index learner_identifier_once on learner_identifier (institution_id, type, value)
  where type <> 'emailAddress';
call guard_learner_rows('learner_identifier', 'learner_id', '{registrar,system}');
