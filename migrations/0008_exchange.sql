-- Uploaded files and the jobs that read them.

create table upload (
  institution_id text collate "C" not null references institution,
  id text collate "C" not null,
  name text not null,
  size bigint not null default 0,
  sha256 bytea,
  created_by text not null,
  created_at timestamptz not null,
  completed_at timestamptz,
  primary key (institution_id, id)
);
call guard_rows('upload', '{registrar,program_designer,system}', '{registrar,program_designer,system}');

create table upload_chunk (
  institution_id text collate "C" not null,
  upload_id text collate "C" not null,
  position integer not null,
  bytes bytea not null,
  primary key (institution_id, upload_id, position),
  foreign key (institution_id, upload_id) references upload on delete cascade
);
alter table upload_chunk alter column bytes set storage external;
call guard_rows('upload_chunk', '{registrar,program_designer,system}', '{registrar,program_designer,system}');

create table job (
  institution_id text collate "C" not null references institution,
  id text collate "C" not null,
  kind text not null,
  state text not null,
  upload_id text collate "C",
  options jsonb not null default '{}',
  created_by text not null,
  created_at timestamptz not null,
  started_at timestamptz,
  finished_at timestamptz,
  bytes_total bigint not null default 0,
  bytes_done bigint not null default 0,
  -- the last line whose outcome is committed; a job that was cut off goes on behind it
  line_done integer not null default 0,
  created_count integer not null default 0,
  updated_count integer not null default 0,
  unchanged_count integer not null default 0,
  failed_count integer not null default 0,
  notices jsonb not null default '[]',
  failure text,
  primary key (institution_id, id),
  foreign key (institution_id, upload_id) references upload,
  constraint job_state_known check (state in ('queued', 'running', 'succeeded', 'failed', 'cancelled')),
  constraint job_finished_dated check ((state in ('succeeded', 'failed', 'cancelled')) = (finished_at is not null))
);
create index job_newest on job (institution_id, created_at desc, id);
create index job_open on job (institution_id, state) where state in ('queued', 'running');
call guard_rows('job', '{registrar,program_designer,system}', '{registrar,program_designer,system}');

-- The outcome of every row. Neighbouring rows that went the same way share one
-- line of this table, so a good file of a million rows takes a handful.
create table job_outcome (
  institution_id text collate "C" not null,
  job_id text collate "C" not null,
  position integer not null,
  first_line integer not null,
  last_line integer not null,
  row_count integer not null,
  outcome text not null,
  column_name text,
  rule text,
  value text,
  message text,
  primary key (institution_id, job_id, position),
  foreign key (institution_id, job_id) references job,
  constraint job_outcome_known check (outcome in ('created', 'updated', 'unchanged', 'failed')),
  constraint job_outcome_lines_in_order check (first_line <= last_line),
  constraint job_outcome_failure_explained check ((outcome = 'failed') = (message is not null))
);
call guard_rows('job_outcome', '{registrar,program_designer,system}', '{system}');
