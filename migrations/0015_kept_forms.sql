-- What spares work when credentials become part of a record: the versions of
-- what each was composed of, and its canonical form.

alter table credential
  add basis text,
  add kept bytea compression lz4;
