-- The role of a request, and what the policies compare with. A request runs as
-- testamur_app with three settings, local to its transaction; a setting that
-- was never made, or was emptied, matches nothing.

do $$
begin
  if not exists (select from pg_roles where rolname = 'testamur_app') then
    create role testamur_app nologin nosuperuser nobypassrls;
  end if;
  if not pg_has_role(current_user, 'testamur_app', 'member') then
    execute format('grant testamur_app to %I', current_user);
  end if;
end $$;

create function app_institution() returns text
  language sql stable parallel safe
  return nullif(current_setting('app.institution', true), '');

create function app_learner() returns text
  language sql stable parallel safe
  return nullif(current_setting('app.learner', true), '');

create function app_is(variadic roles text[]) returns boolean
  language sql stable parallel safe
  return coalesce(string_to_array(current_setting('app.roles', true), ',') && roles, false);

-- Who may see learners other than themselves.
create function app_staff() returns boolean
  language sql stable parallel safe
  return app_is('administrator', 'registrar', 'program_designer', 'assessor', 'system');

create function app_own_learner() returns text
  language sql stable parallel safe
  return case when app_is('learner') then app_learner() end;

-- Row security is forced on every table of an institution by these three. The
-- sub-selects make PostgreSQL ask each setting once a statement, not per row.

-- guard_rows: everyone in the institution with one of the readers' roles reads,
-- the writers' roles write.
create procedure guard_rows(tbl regclass, readers text[], writers text[]) language plpgsql as $$
begin
  execute format('alter table %s enable row level security', tbl);
  execute format('alter table %s force row level security', tbl);
  execute format('create policy read_rows on %s for select using (institution_id = (select app_institution()) and (select app_is(variadic %L::text[])))', tbl, readers);
  execute format('create policy add_rows on %s for insert with check (institution_id = (select app_institution()) and (select app_is(variadic %L::text[])))', tbl, writers);
  execute format('create policy change_rows on %s for update using (institution_id = (select app_institution()) and (select app_is(variadic %L::text[])))', tbl, writers);
  execute format('create policy remove_rows on %s for delete using (institution_id = (select app_institution()) and (select app_is(variadic %L::text[])))', tbl, writers);
  execute format('grant select, insert, update, delete on %s to testamur_app', tbl);
end $$;

-- guard_learner_rows: staff read all, a learner reads the rows whose learner
-- column is their own, the writers' roles write.
create procedure guard_learner_rows(tbl regclass, learner_column text, writers text[]) language plpgsql as $$
begin
  execute format('alter table %s enable row level security', tbl);
  execute format('alter table %s force row level security', tbl);
  execute format('create policy read_rows on %s for select using (institution_id = (select app_institution()) and ((select app_staff()) or %I = (select app_own_learner())))', tbl, learner_column);
  execute format('create policy add_rows on %s for insert with check (institution_id = (select app_institution()) and (select app_is(variadic %L::text[])))', tbl, writers);
  execute format('create policy change_rows on %s for update using (institution_id = (select app_institution()) and (select app_is(variadic %L::text[])))', tbl, writers);
  execute format('create policy remove_rows on %s for delete using (institution_id = (select app_institution()) and (select app_is(variadic %L::text[])))', tbl, writers);
  execute format('grant select, insert, update, delete on %s to testamur_app', tbl);
end $$;
