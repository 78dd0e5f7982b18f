-- Orders of a record for a recipient: what waits, for what, and what became of it.

create table record_order (
  institution_id text collate "C" not null,
  id text collate "C" not null,
  learner_id text collate "C" not null,
  type text not null,
  recipient text not null,
  address text,
  purpose text not null,
  language text not null,
  consent_id text collate "C" not null,
  wait text not null,
  wait_on date,
  in_part boolean not null,
  ordered_at timestamptz not null,
  ordered_by text not null,
  state text not null,
  reason text,
  hold_id text collate "C",
  share_id text collate "C",
  settled_at timestamptz,
  settled_by text,
  changed_at timestamptz not null,
  primary key (institution_id, id),
  foreign key (institution_id, learner_id) references learner,
  foreign key (institution_id, consent_id) references consent,
  foreign key (institution_id, hold_id) references release_hold,
  foreign key (institution_id, share_id) references share,
  constraint record_order_wait_known check (wait in ('now', 'date', 'grades_posted', 'degree_awarded', 'term_ended', 'other')),
  constraint record_order_wait_dated check ((wait = 'date') = (wait_on is not null)),
  constraint record_order_state_known check (state in ('waiting', 'held', 'released', 'cancelled')),
  constraint record_order_held_for_a_reason check ((state = 'held') = (reason is not null)),
  constraint record_order_released_as_a_share check ((state = 'released') = (share_id is not null)),
  constraint record_order_settled_dated check ((state in ('released', 'cancelled')) = (settled_at is not null))
);
create index record_order_of_learner on record_order (institution_id, learner_id, ordered_at desc, id desc);
create index record_order_open on record_order (institution_id, state, ordered_at, id) where state in ('waiting', 'held');
call guard_own_rows('record_order', '{administrator,registrar,system}', '{registrar,system}');
revoke update on record_order from testamur_app;
grant update (wait, wait_on, state, reason, hold_id, share_id, settled_at, settled_by, changed_at) on record_order to testamur_app;
-- A learner may take an order back. That its wait is over, and that it goes out,
-- is for others to say.
create policy learners_cancel on record_order as restrictive for update with check ((select app_is('registrar', 'system')) or state = 'cancelled');
