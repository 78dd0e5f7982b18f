-- Who is found by what they earned. Kept by the transactions that change awards,
-- consents, directory blocks and names, so that the next search sees the change.

-- An employer who was let in to search; beside it the client may be a reader.
alter table api_client drop constraint api_client_roles_known;
alter table api_client add constraint api_client_roles_known check (cardinality(roles) > 0
  and roles <@ '{administrator,registrar,program_designer,assessor,learner,reader,employer}'::text[]);

-- What an employer finds is told to the learner.
create policy searched_rows on disclosure for insert with check (institution_id = (select app_institution())
  and (select app_is('employer')) and channel = 'search' and basis = 'consent');

-- A learner whom employers may find, with what they are told of the person.
create table search_person (
  institution_id text collate "C" not null,
  learner_id text collate "C" not null,
  display_name text not null,
  consent_id text collate "C" not null,
  until timestamptz,
  primary key (institution_id, learner_id),
  foreign key (institution_id, learner_id) references learner,
  foreign key (institution_id, consent_id) references consent
);
call guard_rows('search_person', '{registrar,employer,system}', '{system}');

-- What is on file of awards, each combination once: from it follows which
-- competencies they show and at which level, which changes with the catalogue
-- and is worked out in memory. Numbered without gaps, so that a process reads
-- only those that it does not know.
create table search_saying (
  institution_id text collate "C" not null,
  said uuid not null,
  number bigint not null,
  achievement_id text collate "C" not null,
  achievement_version integer not null,
  grade text not null,
  credits double precision,
  results jsonb not null,
  primary key (institution_id, said),
  constraint search_saying_numbered_once unique (institution_id, number),
  foreign key (institution_id, achievement_id, achievement_version) references achievement_version
);
call guard_rows('search_saying', '{registrar,employer,system}', '{system}');
revoke update, delete on search_saying from testamur_app;

create table search_count (
  institution_id text collate "C" not null primary key references institution,
  sayings bigint not null
);
call guard_rows('search_count', '{registrar,employer,system}', '{system}');

-- The awards that stand of those learners, in the order of a search.
create table search_award (
  institution_id text collate "C" not null,
  said uuid not null,
  achieved_on date not null,
  learner_id text collate "C" not null,
  assertion_id text collate "C" not null,
  primary key (institution_id, said, achieved_on, learner_id, assertion_id),
  foreign key (institution_id, learner_id) references search_person on delete cascade
);
create index search_award_of_learner on search_award (institution_id, learner_id, achieved_on desc, assertion_id) include (said);
call guard_rows('search_award', '{registrar,employer,system}', '{system}');
revoke update on search_award from testamur_app;

create function search_said(achievement text, version integer, grade text, credits numeric, results jsonb) returns uuid
  language sql stable parallel safe
  return md5(jsonb_build_array(achievement, version, grade, credits, results)::text)::uuid;

-- Adds the awards that stand of learners who may be found.
create function search_put(inst text, ids text[]) returns void language plpgsql as $$
declare
  top bigint;
  added bigint;
begin
  if exists (
    select from assertion a
    where a.institution_id = inst and a.id = any(ids) and a.withdrawn_at is null
      and not exists (select from search_saying s where s.institution_id = inst
        and s.said = search_said(a.achievement_id, a.achievement_version, a.grade, a.credits_earned, a.results))
  ) then
    insert into search_count as c (institution_id, sayings) values (inst, 0)
      on conflict (institution_id) do update set sayings = c.sayings
      returning sayings into top; -- one at a time from here on
    insert into search_saying (institution_id, said, number, achievement_id, achievement_version, grade, credits, results)
      select inst, n.said, top + row_number() over (order by n.said), n.achievement_id, n.achievement_version, coalesce(n.grade, ''), n.credits_earned, n.results
      from (
        select distinct on (x.said) x.*
        from (
          select search_said(a.achievement_id, a.achievement_version, a.grade, a.credits_earned, a.results) as said,
            a.achievement_id, a.achievement_version, a.grade, a.credits_earned, a.results
          from assertion a
          where a.institution_id = inst and a.id = any(ids) and a.withdrawn_at is null) as x
        order by x.said) as n
      where not exists (select from search_saying s where s.institution_id = inst and s.said = n.said);
    get diagnostics added = row_count;
    update search_count set sayings = top + added where institution_id = inst;
  end if;
  insert into search_award (institution_id, said, achieved_on, learner_id, assertion_id)
    select inst, search_said(a.achievement_id, a.achievement_version, a.grade, a.credits_earned, a.results), a.achieved_on, a.learner_id, a.id
    from assertion a
    join search_person p on p.institution_id = inst and p.learner_id = a.learner_id
    where a.institution_id = inst and a.id = any(ids) and a.withdrawn_at is null
    on conflict do nothing;
end $$;

-- Whoever becomes findable while awards of theirs are being written waits for
-- these, and the other way round, so that neither misses the other.
create function search_turn(inst text, alone boolean) returns void language plpgsql as $$
begin
  if alone then
    perform pg_advisory_xact_lock(hashtextextended('search ' || inst, 0));
  else
    perform pg_advisory_xact_lock_shared(hashtextextended('search ' || inst, 0));
  end if;
end $$;

-- The triggers work as the service itself, whoever makes the change: an assessor
-- who awards and a learner who consents may not see or write these tables.

create function search_released() returns trigger language plpgsql set app.roles = 'system' as $$
begin
  if new.blocked or new.search_consent_id is null then
    delete from search_person where institution_id = new.institution_id and learner_id = new.learner_id;
    return null;
  end if;
  perform search_turn(new.institution_id, true);
  insert into search_person as p (institution_id, learner_id, display_name, consent_id, until)
    select l.institution_id, l.id, l.display_name, new.search_consent_id, new.search_until
    from learner l where l.institution_id = new.institution_id and l.id = new.learner_id
    on conflict (institution_id, learner_id) do update
    set display_name = excluded.display_name, consent_id = excluded.consent_id, until = excluded.until;
  perform search_put(new.institution_id, array(
    select a.id from assertion a where a.institution_id = new.institution_id and a.learner_id = new.learner_id and a.withdrawn_at is null));
  return null;
end $$;
create trigger release_searched after insert on learner_release
  for each row when (new.search_consent_id is not null and not new.blocked) execute function search_released();
create trigger changed_release_searched after update on learner_release
  for each row when ((old.blocked, old.search_consent_id, old.search_until) is distinct from (new.blocked, new.search_consent_id, new.search_until))
  execute function search_released();

create function search_award_added() returns trigger language plpgsql set app.roles = 'system' as $$
declare
  r record;
begin
  for r in select distinct institution_id from present loop
    perform search_turn(r.institution_id, false);
  end loop;
  for r in
    select n.institution_id, array_agg(n.id order by n.id) as ids
    from present n
    join search_person p on p.institution_id = n.institution_id and p.learner_id = n.learner_id
    where n.withdrawn_at is null
    group by n.institution_id
  loop
    perform search_put(r.institution_id, r.ids);
  end loop;
  return null;
end $$;
create trigger award_searched after insert on assertion
  referencing new table as present for each statement execute function search_award_added();

create function search_award_changed() returns trigger language plpgsql set app.roles = 'system' as $$
declare
  r record;
begin
  for r in select distinct institution_id from present loop
    perform search_turn(r.institution_id, false);
  end loop;
  delete from search_award a using was w
    where a.institution_id = w.institution_id and a.learner_id = w.learner_id and a.achieved_on = w.achieved_on and a.assertion_id = w.id;
  for r in
    select n.institution_id, array_agg(n.id order by n.id) as ids
    from present n
    join search_person p on p.institution_id = n.institution_id and p.learner_id = n.learner_id
    where n.withdrawn_at is null
    group by n.institution_id
  loop
    perform search_put(r.institution_id, r.ids);
  end loop;
  return null;
end $$;
create trigger changed_award_searched after update on assertion
  referencing old table as was new table as present for each statement execute function search_award_changed();

-- A former name is not shown again.
create function search_renamed() returns trigger language plpgsql set app.roles = 'system' as $$
declare
  r record;
begin
  for r in select distinct institution_id from present loop
    perform search_turn(r.institution_id, false);
  end loop;
  update search_person p set display_name = n.display_name
    from present n
    where p.institution_id = n.institution_id and p.learner_id = n.id and p.display_name <> n.display_name;
  return null;
end $$;
create trigger name_searched after update on learner
  referencing new table as present for each statement execute function search_renamed();
