-- A graduation signs records, which a program designer does not, though they may
-- start other jobs.
create policy graduation_rows on job as restrictive for insert
  with check (kind <> 'GRADUATION' or (select app_is('registrar', 'system')));
