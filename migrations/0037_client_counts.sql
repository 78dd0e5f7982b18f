-- A process remembers what a token stands for in one state of the institution,
-- which audit_head counts. Whatever changes a client changes that count, also a
-- statement at the operator's own terminal that leaves no line in the account.
create function count_client_change() returns trigger language plpgsql as $$
begin
  insert into audit_head as h (institution_id, sequence, hash, catalogue)
  values (coalesce(new.institution_id, old.institution_id), 0, decode(repeat('00', 32), 'hex'), 1)
  on conflict (institution_id) do update set catalogue = h.catalogue + 1;
  return null;
end $$;

create trigger client_counts after insert or update or delete on api_client
  for each row execute function count_client_change();
