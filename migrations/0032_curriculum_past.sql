-- What a cell of the curriculum map said before it was changed or taken out, and
-- from when to when that was what was on file. A state as known at an earlier
-- moment follows from the map of that moment.
alter table course_competency add column known_from timestamptz;
update course_competency set known_from = created_at;
alter table course_competency alter column known_from set not null;

create table course_competency_past (
  institution_id text collate "C" not null,
  course_id text collate "C" not null,
  item_id text collate "C" not null,
  stage text not null,
  target_level text,
  known_from timestamptz not null,
  known_until timestamptz not null,
  primary key (institution_id, course_id, item_id, stage, known_from),
  foreign key (institution_id, course_id) references course,
  foreign key (institution_id, item_id) references framework_item,
  constraint course_competency_past_stage_known check (stage in ('introduced', 'practised', 'assessed')),
  constraint course_competency_past_in_order check (known_from < known_until)
);
call guard_rows('course_competency_past',
  '{administrator,registrar,program_designer,assessor,learner,reader,visitor,system}', '{program_designer,registrar,system}');
revoke update, delete on course_competency_past from testamur_app;

create function course_competency_keep_past() returns trigger language plpgsql as $$
begin
  insert into course_competency_past (institution_id, course_id, item_id, stage, target_level, known_from, known_until)
    select w.institution_id, w.course_id, w.item_id, w.stage, w.target_level, w.known_from, n.known_from
    from was w
    join present n using (institution_id, course_id, item_id, stage)
    where w.known_from < n.known_from;
  return null;
end $$;
create trigger course_competency_past_kept after update on course_competency
  referencing old table as was new table as present for each statement execute function course_competency_keep_past();
