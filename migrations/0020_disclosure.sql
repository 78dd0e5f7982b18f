-- Every time that something of a learner was asked for and told, or refused: 34
-- CFR 99.32. Rows are added and never changed or removed; they are kept as long
-- as the record is, whatever becomes of the share or order behind them.

-- guard_kept_rows: the readers' roles read all and a learner the rows whose
-- learner column is their own; the writers' roles add. Nobody changes or removes.
create procedure guard_kept_rows(tbl regclass, readers text[], writers text[]) language plpgsql as $$
declare
  here constant text := 'institution_id = (select app_institution())';
begin
  execute format('alter table %s enable row level security', tbl);
  execute format('alter table %s force row level security', tbl);
  execute format('create policy read_rows on %s for select using (%s and ((select app_is(variadic %L::text[])) or learner_id = (select app_own_learner())))', tbl, here, readers);
  execute format('create policy add_rows on %s for insert with check (%s and (select app_is(variadic %L::text[])))', tbl, here, writers);
  execute format('grant select, insert on %s to testamur_app', tbl);
end $$;

create table disclosure (
  institution_id text collate "C" not null,
  id text collate "C" not null,
  learner_id text collate "C" not null,
  at timestamptz not null,
  outcome text not null,
  refusal text,
  channel text not null,
  party text not null,
  purpose text not null,
  basis text not null,
  consent_id text collate "C",
  items text[] not null default '{}',
  source_id text collate "C",
  actor_id text not null,
  network text not null default '',
  note text not null default '',
  primary key (institution_id, id),
  foreign key (institution_id, learner_id) references learner,
  foreign key (institution_id, consent_id) references consent,
  constraint disclosure_outcome_known check (outcome in ('granted', 'refused')),
  constraint disclosure_refusal_told check ((outcome = 'refused') = (refusal is not null)),
  constraint disclosure_channel_known check (channel in ('share', 'order', 'watch', 'api', 'document', 'search', 'export', 'manual')),
  constraint disclosure_basis_known check (basis in ('consent', 'subject', 'school_official', 'directory', 'transfer', 'authorities', 'financial_aid',
    'studies', 'accreditor', 'parents', 'judicial_order', 'emergency', 'none')),
  -- Nothing is told without consent or a named exception.
  constraint disclosure_has_a_basis check (outcome = 'refused' or basis <> 'none'),
  constraint disclosure_names_its_consent check (outcome = 'refused' or (basis = 'consent') = (consent_id is not null)),
  constraint disclosure_says_what check (outcome = 'refused' or cardinality(items) > 0),
  constraint disclosure_emergency_explained check (basis <> 'emergency' or note <> '')
);
create index disclosure_of_learner on disclosure (institution_id, learner_id, at desc, id desc);
create index disclosure_by_time on disclosure (institution_id, at, id);
create index disclosure_of_source on disclosure (institution_id, source_id, at desc, id desc) where source_id is not null;
call guard_kept_rows('disclosure', '{administrator,registrar,system}', '{registrar,system}');
