-- Institutions, their staff, API clients and keys.

create table institution (
  institution_id text collate "C" primary key,
  slug text not null,
  name text not null,
  url text,
  email text,
  phone text,
  description text,
  image_url text,
  official text,
  address jsonb,
  other_identifier jsonb not null default '[]',
  version integer not null default 1,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  constraint institution_name_not_empty check (name <> ''),
  constraint institution_slug_form check (slug ~ '^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$')
);
call guard_rows('institution',
  '{administrator,registrar,program_designer,assessor,learner,reader,visitor,system}', '{administrator,system}');

-- Where a slug leads. It holds nothing that the institution's public address
-- does not say, is read before the institution is known, and so has no policy.
create table institution_locator (
  slug text primary key,
  institution_id text collate "C" not null unique
);
grant select, insert, update on institution_locator to testamur_app;

create table staff (
  institution_id text collate "C" not null references institution,
  id text collate "C" not null,
  email text not null,
  name text not null,
  roles text[] not null,
  version integer not null default 1,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  deactivated_at timestamptz,
  primary key (institution_id, id),
  constraint staff_email_once unique (institution_id, email),
  constraint staff_roles_known check (cardinality(roles) > 0
    and roles <@ '{administrator,registrar,program_designer,assessor,reader}'::text[])
);
call guard_rows('staff', '{administrator,system}', '{administrator,system}');

create table api_client (
  institution_id text collate "C" not null references institution,
  id text collate "C" not null,
  name text not null,
  roles text[] not null,
  scopes text[] not null default '{}',
  learner_id text collate "C",
  secret_hash bytea not null,
  created_at timestamptz not null,
  expires_at timestamptz,
  revoked_at timestamptz,
  primary key (institution_id, id),
  constraint api_client_roles_known check (cardinality(roles) > 0
    and roles <@ '{administrator,registrar,program_designer,assessor,learner,reader}'::text[]),
  constraint api_client_learner_named check (('learner' = any(roles)) = (learner_id is not null)),
  constraint api_client_secret_is_sha256 check (octet_length(secret_hash) = 32)
);
call guard_rows('api_client', '{administrator,system}', '{administrator,system}');

create table signing_key (
  institution_id text collate "C" not null references institution,
  id text collate "C" not null,
  algorithm text not null,
  public_key_multibase text not null,
  state text not null,
  created_at timestamptz not null,
  retired_at timestamptz,
  primary key (institution_id, id),
  constraint signing_key_algorithm_known check (algorithm in ('Ed25519', 'P-256', 'P-384')),
  constraint signing_key_state_known check (state in ('active', 'retired', 'compromised')),
  constraint signing_key_retired_dated check ((state = 'active') = (retired_at is null))
);
create unique index signing_key_one_active on signing_key (institution_id, algorithm) where state = 'active';
call guard_rows('signing_key',
  '{administrator,registrar,program_designer,assessor,learner,reader,visitor,system}', '{administrator,system}');

-- The sealed private halves: only the service's own work reads them, and an
-- administrator who rotates the key adds one.
create table signing_key_secret (
  institution_id text collate "C" not null,
  key_id text collate "C" not null,
  sealed bytea not null,
  primary key (institution_id, key_id),
  foreign key (institution_id, key_id) references signing_key
);
call guard_rows('signing_key_secret', '{system}', '{administrator,system}');

-- What was done, by whom: append only, each line chained to the one before.
create table audit_head (
  institution_id text collate "C" primary key,
  sequence bigint not null,
  hash bytea not null
);
call guard_rows('audit_head',
  '{administrator,registrar,program_designer,assessor,learner,reader,system}',
  '{administrator,registrar,program_designer,assessor,learner,reader,system}');
revoke delete on audit_head from testamur_app;

create table audit (
  institution_id text collate "C" not null,
  sequence bigint not null,
  at timestamptz not null,
  actor_id text not null,
  action text not null,
  target text not null,
  detail jsonb not null default '{}',
  previous_hash bytea not null,
  hash bytea not null,
  primary key (institution_id, sequence)
);
create index audit_target on audit (institution_id, target, sequence);
call guard_rows('audit', '{administrator,registrar,system}',
  '{administrator,registrar,program_designer,assessor,learner,reader,system}');
revoke update, delete on audit from testamur_app;

-- The first answer to a mutation that was sent with an idempotency key.
create table idempotency (
  institution_id text collate "C" not null,
  actor_id text not null,
  key text not null,
  operation text not null,
  request_hash bytea not null,
  target text not null,
  created_at timestamptz not null,
  primary key (institution_id, actor_id, key),
  constraint idempotency_key_length check (length(key) between 1 and 255)
);
call guard_rows('idempotency',
  '{administrator,registrar,program_designer,assessor,learner,system}',
  '{administrator,registrar,program_designer,assessor,learner,system}');
revoke update, delete on idempotency from testamur_app;
