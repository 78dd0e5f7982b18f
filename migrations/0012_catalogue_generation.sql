-- How often an institution's catalogue (frameworks, courses, achievements and
-- what links them) was changed. What is read from it may be kept in memory as
-- long as this stands still. The account of what was done counts it, in the
-- statement that it makes anyway.
alter table audit_head add column catalogue bigint not null default 0;
