-- What a job does it does as the service: who may only define the catalogue asks
-- for nothing else.
create policy add_kinds on job as restrictive for insert with check (
  (select app_is('registrar', 'system')) or kind in ('CASE_PACKAGE', 'CTDL_ASN', 'FRAMEWORK_TABLE', 'COURSES', 'COURSE_MAP', 'ACHIEVEMENTS'));
