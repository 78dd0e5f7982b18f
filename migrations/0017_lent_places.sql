-- Places in the public status lists for credentials that are signed here and
-- kept by whoever asked for them: those of the VC API.
create table lent_place (
  institution_id text collate "C" not null,
  list integer not null,
  index integer not null,
  credential_id text not null,
  lent_at timestamptz not null,
  revoked_at timestamptz,
  primary key (institution_id, list, index),
  foreign key (institution_id, list) references status_list,
  constraint lent_place_revoked_after_lent check (revoked_at >= lent_at)
);
call guard_rows('lent_place', '{system}', '{system}');
revoke delete on lent_place from testamur_app;
