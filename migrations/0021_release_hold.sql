-- What the institution holds back of a learner, and until when. A hold is never
-- changed; that it was lifted is a row of its own.

create table release_hold (
  institution_id text collate "C" not null,
  id text collate "C" not null,
  learner_id text collate "C" not null,
  reason text not null,
  terms text[] not null default '{}',
  note text not null default '',
  planned_on date,
  placed_at timestamptz not null,
  placed_by text not null,
  primary key (institution_id, id),
  foreign key (institution_id, learner_id) references learner,
  constraint release_hold_reason_known check (reason in ('financial', 'transcript_fee', 'requested_action', 'other')),
  -- What was paid for is released on request: 34 CFR 668.14(b)(34).
  constraint release_hold_names_payment_periods check (reason <> 'financial' or cardinality(terms) > 0 or note <> '')
);
create index release_hold_of_learner on release_hold (institution_id, learner_id, placed_at desc, id desc);
call guard_kept_rows('release_hold', '{administrator,registrar,system}', '{registrar,system}');

create table release_hold_lift (
  institution_id text collate "C" not null,
  hold_id text collate "C" not null,
  learner_id text collate "C" not null,
  lifted_at timestamptz not null,
  lifted_by text not null,
  reason text not null,
  primary key (institution_id, hold_id),
  foreign key (institution_id, hold_id) references release_hold,
  constraint release_hold_lift_explained check (reason <> '')
);
call guard_kept_rows('release_hold_lift', '{administrator,registrar,system}', '{registrar,system}');
