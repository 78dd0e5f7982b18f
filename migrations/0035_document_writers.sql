-- A print is made by a registrar or by the learner it is about, and withdrawn by a
-- registrar: the database keeps to that also where the service would not ask.
drop policy add_rows on document;
create policy add_rows on document for insert with check (institution_id = (select app_institution())
  and ((select app_is('registrar', 'system')) or learner_id = (select app_own_learner())));
drop policy change_rows on document;
create policy change_rows on document for update using (institution_id = (select app_institution()) and (select app_is('registrar', 'system')));
