-- A proposal says from which day its requirement is met, why it was decided as it
-- was, what stands in the way of an award that needs no decision, and when what led to a
-- declined one was over, so that it may be proposed again.
alter table program_proposal
  add column met_on date,
  add column obstacle text,
  add column decision text,
  add column ended_at timestamptz,
  add constraint program_proposal_declined_with_reason check (state <> 'declined' or decision <> ''),
  add constraint program_proposal_ends_decided check (ended_at is null or state = 'declined');
create index program_proposal_by_state on program_proposal (institution_id, state, id);
create index program_proposal_of_assertion on program_proposal (institution_id, assertion_id);
