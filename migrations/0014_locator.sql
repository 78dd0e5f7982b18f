-- Where a slug leads is read by everyone, and written by none but the
-- institution itself: without this, a request could lead another's address
-- astray if the application's checks failed.
revoke update on institution_locator from testamur_app;
alter table institution_locator enable row level security;
alter table institution_locator force row level security;
create policy read_rows on institution_locator for select using (true);
create policy add_rows on institution_locator for insert
  with check (institution_id = (select app_institution()) and (select app_is('administrator', 'system')));
