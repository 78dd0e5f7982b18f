-- The credentials that a version of a record embeds stand in its row, in their
-- order: a row for each cost more than signing the record. They are all of its
-- learner, through whom the records of a credential are found.

alter table record no force row level security;
alter table record_item no force row level security;
alter table record add items text[] collate "C" not null default '{}';
update record r
set items = i.items
from (
  select institution_id, record_id, array_agg(credential_id order by position) as items
  from record_item
  group by institution_id, record_id) as i
where i.institution_id = r.institution_id and i.record_id = r.id;
alter table record
  force row level security,
  alter items drop default,
  alter items set compression lz4,
  add constraint record_items_named check (array_position(items, null) is null);
drop table record_item;
