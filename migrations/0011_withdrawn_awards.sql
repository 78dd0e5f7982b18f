-- What was withdrawn is few among many: its credentials are looked for now and then.

create index assertion_withdrawn on assertion (institution_id, id) where withdrawn_at is not null;
