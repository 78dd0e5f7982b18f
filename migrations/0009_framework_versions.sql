-- Frameworks in versions. The tables of 0004 hold the present; what a newer
-- version replaced or took out is kept in framework_past with the versions in
-- which it held, so that any version can be read, compared and served again.

create table framework_version (
  institution_id text collate "C" not null,
  framework_id text collate "C" not null,
  version integer not null,
  id text collate "C" not null,
  label text,
  reason text not null,
  added integer not null,
  changed integer not null,
  retired integer not null,
  recorded_at timestamptz not null,
  recorded_by text not null,
  primary key (institution_id, framework_id, version),
  foreign key (institution_id, framework_id) references framework,
  constraint framework_version_id_once unique (institution_id, id)
);
create index framework_version_in_time on framework_version (institution_id, framework_id, recorded_at);

-- since_version: from when the row is as it is now. until_version: the version
-- that took it out.
alter table framework add column since_version integer not null default 1;
alter table framework add column publication text not null default 'by_status'
  constraint framework_publication_known check (publication in ('by_status', 'public', 'private'));
alter table framework add column license_uri text;
alter table framework add column home boolean not null default false;
alter table framework_item add column since_version integer not null default 1;
alter table framework_item add column until_version integer;
alter table framework_association add column since_version integer not null default 1;
alter table rubric add column since_version integer not null default 1;
create index framework_item_by_code on framework_item (institution_id, human_coding_scheme);
create index framework_association_of_framework on framework_association (institution_id, framework_id, position);
create index rubric_of_framework on rubric (institution_id, framework_id, position);

alter table framework no force row level security;
insert into framework_version (institution_id, framework_id, version, id, label, reason, added, changed, retired, recorded_at, recorded_by)
  select institution_id, id, n, 'fwv_' || substr(id, 5) || n, framework_version, 'imported', 0, 0, 0, case n when 1 then created_at else updated_at end, 'system'
  from framework cross join lateral generate_series(1, version) as n;
update framework set license_uri = source::json #>> '{licenseURI,uri}';
alter table framework force row level security;

call guard_rows('framework_version',
  '{administrator,registrar,program_designer,assessor,learner,reader,visitor,system}', '{program_designer,registrar,system}');
revoke update, delete on framework_version from testamur_app;

create table framework_past (
  institution_id text collate "C" not null,
  framework_id text collate "C" not null,
  kind text not null,
  identifier text not null,
  since_version integer not null,
  until_version integer not null,
  object_id text collate "C" not null,
  position integer not null,
  source text compression lz4 not null,
  primary key (institution_id, framework_id, kind, identifier, since_version),
  foreign key (institution_id, framework_id) references framework,
  constraint framework_past_kind_known check (kind in ('document', 'item', 'association', 'rubric')),
  constraint framework_past_in_order check (since_version < until_version)
);
call guard_rows('framework_past',
  '{administrator,registrar,program_designer,assessor,learner,reader,visitor,system}', '{program_designer,registrar,system}');
revoke update, delete on framework_past from testamur_app;

-- Crosswalks: what this institution says two competencies have to do with each
-- other, and who said so. A crosswalk counts from its approval to its
-- withdrawal; neither is undone.
create table crosswalk (
  institution_id text collate "C" not null,
  id text collate "C" not null,
  type text not null,
  direction text not null,
  origin_item_id text collate "C" not null,
  destination_item_id text collate "C" not null,
  strength double precision not null,
  note text,
  proposed_at timestamptz not null,
  proposed_by text not null,
  approved_at timestamptz,
  approved_by text,
  approver text,
  withdrawn_at timestamptz,
  withdrawn_by text,
  withdrawn_because text,
  version integer not null default 1,
  primary key (institution_id, id),
  foreign key (institution_id, origin_item_id) references framework_item,
  foreign key (institution_id, destination_item_id) references framework_item,
  constraint crosswalk_direction_known check (direction in ('forward', 'both')),
  constraint crosswalk_strength_range check (strength > 0 and strength <= 1),
  constraint crosswalk_of_two check (origin_item_id <> destination_item_id)
);
create unique index crosswalk_once on crosswalk (institution_id, origin_item_id, destination_item_id, type) where withdrawn_at is null;
create index crosswalk_by_destination on crosswalk (institution_id, destination_item_id);
call guard_rows('crosswalk',
  '{administrator,registrar,program_designer,assessor,learner,reader,visitor,system}', '{program_designer,registrar,system}');
revoke delete on crosswalk from testamur_app;

-- What changes whenever a crosswalk does, so that a process knows when what it
-- keeps in memory is old.
create table crosswalk_stamp (
  institution_id text collate "C" not null references institution,
  stamp text collate "C" not null,
  primary key (institution_id)
);
call guard_rows('crosswalk_stamp',
  '{administrator,registrar,program_designer,assessor,learner,reader,visitor,system}', '{program_designer,registrar,system}');
