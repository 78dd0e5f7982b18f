-- Who is to be told when something behind a link changes, and what is told to
-- whom: a row is written with the change, and goes out afterwards.

alter table share add column notify_openings boolean not null default false;

create table share_watch (
  institution_id text collate "C" not null,
  id text collate "C" not null,
  learner_id text collate "C" not null,
  share_id text collate "C" not null,
  channel text not null,
  address text not null,
  token_hash bytea not null,
  created_at timestamptz not null,
  ended_at timestamptz,
  ended_by text,
  primary key (institution_id, id),
  foreign key (institution_id, share_id) references share,
  constraint share_watch_token_once unique (institution_id, token_hash),
  constraint share_watch_token_is_sha256 check (octet_length(token_hash) = 32),
  constraint share_watch_channel_known check (channel in ('mail', 'webhook')),
  constraint share_watch_ended_whole check ((ended_at is null) = (ended_by is null))
);
create unique index share_watch_once on share_watch (institution_id, share_id, channel, address) where ended_at is null;
create index share_watch_of_share on share_watch (institution_id, share_id, created_at, id);
call guard_own_rows('share_watch', '{administrator,registrar,system}', '{registrar,system}');
revoke update on share_watch from testamur_app;
grant update (ended_at, ended_by) on share_watch to testamur_app;

-- once names what is told to whom, so that it is told once.
create table message (
  institution_id text collate "C" not null,
  id text collate "C" not null,
  learner_id text collate "C" not null,
  share_id text collate "C" not null,
  watch_id text collate "C",
  kind text not null,
  channel text not null,
  credential_id text collate "C",
  about_at timestamptz not null,
  once text collate "C" not null,
  created_at timestamptz not null,
  state text not null default 'waiting',
  attempts integer not null default 0,
  next_at timestamptz not null,
  trouble text,
  settled_at timestamptz,
  primary key (institution_id, id),
  foreign key (institution_id, share_id) references share,
  foreign key (institution_id, watch_id) references share_watch,
  foreign key (institution_id, credential_id) references credential,
  constraint message_told_once unique (institution_id, once),
  constraint message_channel_known check (channel in ('mail', 'webhook')),
  constraint message_kind_known check (kind in ('watching', 'revoked', 'superseded', 'suspended', 'lifted', 'ended', 'opened', 'released')),
  constraint message_about_a_credential check ((kind in ('revoked', 'superseded', 'suspended', 'lifted')) = (credential_id is not null)),
  constraint message_state_known check (state in ('waiting', 'sent', 'failed', 'dropped')),
  constraint message_settled_dated check ((state = 'waiting') = (settled_at is null))
);
create index message_due on message (institution_id, next_at, id) where state = 'waiting';
create index message_newest on message (institution_id, created_at desc, id desc);
create index message_of_watch on message (institution_id, watch_id, created_at desc, id desc);
call guard_own_rows('message', '{administrator,registrar,system}', '{registrar,system}');
revoke update on message from testamur_app;
grant update (state, attempts, next_at, trouble, settled_at) on message to testamur_app;
-- Learners have the watchers of their links told that a watch begins or ends, and
-- decide nothing else of what goes out.
create policy learners_watch on message as restrictive for insert with check ((select app_is('system')) or kind in ('watching', 'ended'));
create policy learners_send_nothing on message as restrictive for update using ((select app_is('registrar', 'system')));
create policy own_watches on share_watch as restrictive for insert with check ((select app_is('system')) or learner_id = (select app_own_learner()));
