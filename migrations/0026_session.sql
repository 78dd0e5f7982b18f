-- Who a browser is signed in as. The secret of the cookie is kept as its hash.
create table session (
  institution_id text collate "C" not null,
  id text collate "C" not null,
  secret_hash bytea not null,
  staff_id text collate "C",
  learner_id text collate "C",
  way text not null,
  began_at timestamptz not null,
  seen_at timestamptz not null,
  ended_at timestamptz,
  primary key (institution_id, id),
  foreign key (institution_id, staff_id) references staff,
  foreign key (institution_id, learner_id) references learner,
  constraint session_of_one_person check ((staff_id is null) <> (learner_id is null)),
  constraint session_way_known check (way in ('oidc', 'demonstration')),
  constraint session_secret_is_sha256 check (octet_length(secret_hash) = 32)
);
create index session_of_staff on session (institution_id, staff_id) where staff_id is not null;
create index session_of_learner on session (institution_id, learner_id) where learner_id is not null;
call guard_rows('session', '{system}', '{system}');

-- What a search for a learner compares with: the words of the name, without
-- accents and case, then the number and the address. Each word has a blank in
-- front, so that " jo" finds Joaquin and not Banjo.
create function folded(words text) returns text
  language sql immutable parallel safe
  return translate(regexp_replace(normalize(lower(words), nfd), U&'[\0300-\036f]', '', 'g'), 'øłđðı', 'olddi');

alter table learner add column search text not null generated always as
  (' ' || folded(display_name) || ' ' || lower(coalesce(ref_value, '')) || ' ' || lower(coalesce(email, ''))) stored;
