-- The certificate of a key that signs documents, X.509, made once.
create table signing_certificate (
  institution_id text collate "C" not null,
  key_id text collate "C" not null,
  der bytea not null,
  made_at timestamptz not null,
  primary key (institution_id, key_id),
  foreign key (institution_id, key_id) references signing_key
);
call guard_rows('signing_certificate', '{administrator,registrar,system}', '{system}');
revoke update, delete on signing_certificate from testamur_app;

-- The documents that were made of records. A row outlives every share: its verify
-- page is asked about paper. Of the page's address only a hash is here, and of
-- what is printed only what it takes to compare.
create table document (
  institution_id text collate "C" not null,
  id text collate "C" not null,
  learner_id text collate "C" not null,
  record_id text collate "C" not null,
  paper text not null,
  recipient text not null default '',
  made_at timestamptz not null,
  made_by text not null,
  signed_at timestamptz not null,
  key_id text collate "C" not null,
  token_hash bytea not null,
  printed jsonb not null,
  revoked_at timestamptz,
  revoked_by text,
  revoked_for text,
  primary key (institution_id, id),
  foreign key (institution_id, learner_id) references learner,
  foreign key (institution_id, record_id) references record,
  foreign key (institution_id, key_id) references signing_key,
  constraint document_token_once unique (institution_id, token_hash),
  constraint document_paper_known check (paper in ('letter', 'a4')),
  constraint document_revocation_explained check ((revoked_at is null) = (revoked_by is null) and (revoked_at is null) = (revoked_for is null))
);
-- A record has one document for nobody in particular.
create unique index document_standing on document (institution_id, record_id, paper) where recipient = '' and revoked_at is null;
create index document_of_record on document (institution_id, record_id, made_at desc, id desc);
call guard_learner_rows('document', 'learner_id', '{system}');
revoke delete on document from testamur_app;
