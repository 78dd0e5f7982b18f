-- What a learner allows to be told of them, and what the institution tells
-- without asking.

-- guard_own_rows: the readers' roles read all and a learner the rows whose
-- learner column is their own; the writers' roles add and change all, and a
-- learner adds and changes their own. Nobody removes.
create procedure guard_own_rows(tbl regclass, readers text[], writers text[]) language plpgsql as $$
declare
  own constant text := 'learner_id = (select app_own_learner())';
  here constant text := 'institution_id = (select app_institution())';
begin
  execute format('alter table %s enable row level security', tbl);
  execute format('alter table %s force row level security', tbl);
  execute format('create policy read_rows on %s for select using (%s and ((select app_is(variadic %L::text[])) or %s))', tbl, here, readers, own);
  execute format('create policy add_rows on %s for insert with check (%s and ((select app_is(variadic %L::text[])) or %s))', tbl, here, writers, own);
  execute format('create policy change_rows on %s for update using (%s and ((select app_is(variadic %L::text[])) or %s))', tbl, here, writers, own);
  execute format('grant select, insert, update on %s to testamur_app', tbl);
end $$;

-- A consent is never changed; its withdrawal is a row of its own.
create table consent (
  institution_id text collate "C" not null,
  id text collate "C" not null,
  learner_id text collate "C" not null,
  scope text not null,
  items text[] not null default '{}',
  purpose text not null,
  party text not null,
  open boolean not null,
  language text not null,
  text_version text not null,
  statement text not null,
  method text not null,
  signed_at timestamptz not null,
  expires_at timestamptz,
  recorded_at timestamptz not null,
  recorded_by text not null,
  primary key (institution_id, id),
  foreign key (institution_id, learner_id) references learner,
  constraint consent_scope_known check (scope in ('search', 'record', 'items')),
  constraint consent_method_known check (method in ('sign_in', 'signature', 'electronic_signature')),
  constraint consent_names_what check ((scope = 'search') = (cardinality(items) = 0)),
  constraint consent_names_whom check (party <> '' and purpose <> '' and statement <> ''),
  constraint consent_signed_before_recorded check (signed_at <= recorded_at),
  constraint consent_ends_after_signing check (expires_at > signed_at)
);
create index consent_of_learner on consent (institution_id, learner_id, recorded_at desc, id desc);
call guard_own_rows('consent', '{administrator,registrar,system}', '{registrar,system}');
revoke update on consent from testamur_app;

create table consent_withdrawal (
  institution_id text collate "C" not null,
  consent_id text collate "C" not null,
  learner_id text collate "C" not null,
  withdrawn_at timestamptz not null,
  withdrawn_by text not null,
  reason text not null default '',
  primary key (institution_id, consent_id),
  foreign key (institution_id, consent_id) references consent
);
call guard_own_rows('consent_withdrawal', '{administrator,registrar,system}', '{registrar,system}');
revoke update on consent_withdrawal from testamur_app;

-- What was designated by public notice: the newest that is effective counts.
create table directory_notice (
  institution_id text collate "C" not null references institution,
  version integer not null,
  categories text[] not null,
  published_where text not null,
  effective_on date not null,
  published_at timestamptz not null,
  published_by text not null,
  primary key (institution_id, version),
  constraint directory_notice_categories_known check (categories <@
    '{name,address,telephone,email,photograph,birth,field_of_study,grade_level,enrollment_status,dates_of_attendance,activities,athletics,degrees,honors,previous_institution}'::text[])
);
call guard_rows('directory_notice', '{administrator,registrar,program_designer,assessor,learner,reader,visitor,system}', '{administrator,registrar,system}');
revoke update, delete on directory_notice from testamur_app;

-- Each time that a learner blocked directory information or allowed it again.
create table directory_choice (
  institution_id text collate "C" not null,
  learner_id text collate "C" not null,
  position integer not null,
  blocked boolean not null,
  at timestamptz not null,
  by_id text not null,
  reason text not null default '',
  primary key (institution_id, learner_id, position),
  foreign key (institution_id, learner_id) references learner
);
call guard_own_rows('directory_choice', '{administrator,registrar,system}', '{registrar,system}');
revoke update on directory_choice from testamur_app;

-- What holds of a learner now, written in the transaction of each change: one
-- row to ask at the moment of a disclosure. Without a row nothing was said.
create table learner_release (
  institution_id text collate "C" not null,
  learner_id text collate "C" not null,
  blocked boolean not null default false,
  search_consent_id text collate "C",
  search_until timestamptz,
  updated_at timestamptz not null,
  primary key (institution_id, learner_id),
  foreign key (institution_id, learner_id) references learner,
  foreign key (institution_id, search_consent_id) references consent,
  constraint learner_release_until_of_consent check (search_until is null or search_consent_id is not null)
);
create index learner_release_searchable on learner_release (institution_id, learner_id)
  where search_consent_id is not null and not blocked;
call guard_own_rows('learner_release', '{administrator,registrar,system}', '{registrar,system}');
