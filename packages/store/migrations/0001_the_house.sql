-- Up Migration

-- Two group roles: request handlers run as sidestage_api under row-level security; accept, settle and sweep run as sidestage_engine,
-- whose statements always join on (tenant_id, id). Roles belong to the whole cluster, so another database may have made them already.
DO $$ BEGIN CREATE ROLE sidestage_api NOLOGIN; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$;
DO $$ BEGIN CREATE ROLE sidestage_engine NOLOGIN; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$;
DO $$ BEGIN
  EXECUTE format('GRANT sidestage_api, sidestage_engine TO %I', current_user);
EXCEPTION WHEN OTHERS THEN
  -- Another migration granted it at the same moment, or the user already is a member.
  IF NOT pg_has_role(current_user, 'sidestage_engine', 'MEMBER') THEN RAISE; END IF;
END $$;
GRANT USAGE ON SCHEMA public TO sidestage_api, sidestage_engine;

CREATE FUNCTION current_tenant() RETURNS uuid LANGUAGE sql STABLE AS
  $$ SELECT NULLIF(current_setting('sidestage.tenant_id', true), '')::uuid $$;

CREATE TABLE tenants (
  id uuid PRIMARY KEY,
  name text NOT NULL,
  -- What differs from the default policy (contracts: policyPatchSchema).
  policy jsonb NOT NULL DEFAULT '{}',
  cors_origins text[] NOT NULL DEFAULT '{}',
  created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE users (
  id uuid PRIMARY KEY,
  tenant_id uuid NOT NULL REFERENCES tenants ON DELETE CASCADE,
  -- null for a guest
  email text,
  password_hash text,
  display_name text NOT NULL,
  role text NOT NULL CHECK (role IN ('fan', 'creator', 'operator')),
  tier text NOT NULL DEFAULT 'free' CHECK (tier IN ('free', 'premium', 'enterprise')),
  locale text,
  -- Tokens issued before this moment are refused.
  tokens_valid_from timestamptz NOT NULL DEFAULT now(),
  expires_at timestamptz,
  created_at timestamptz NOT NULL DEFAULT now(),
  UNIQUE (tenant_id, id)
);
CREATE UNIQUE INDEX users_email ON users (tenant_id, lower(email)) WHERE email IS NOT NULL;
CREATE INDEX users_expiry ON users (expires_at) WHERE expires_at IS NOT NULL;

-- A family is one login on one device; a used token seen again revokes its whole family.
CREATE TABLE refresh_tokens (
  token_hash bytea PRIMARY KEY,
  tenant_id uuid NOT NULL,
  user_id uuid NOT NULL,
  family_id uuid NOT NULL,
  expires_at timestamptz NOT NULL,
  used_at timestamptz,
  revoked_at timestamptz,
  created_at timestamptz NOT NULL DEFAULT now(),
  FOREIGN KEY (tenant_id, user_id) REFERENCES users (tenant_id, id) ON DELETE CASCADE
);
CREATE INDEX refresh_tokens_family ON refresh_tokens (family_id);
CREATE INDEX refresh_tokens_user ON refresh_tokens (tenant_id, user_id);

CREATE TABLE api_keys (
  id uuid PRIMARY KEY,
  tenant_id uuid NOT NULL REFERENCES tenants ON DELETE CASCADE,
  name text NOT NULL,
  tier text NOT NULL CHECK (tier IN ('free', 'premium', 'enterprise')),
  -- SHA-256 of the whole key; the key itself is shown once.
  key_hash bytea NOT NULL UNIQUE,
  prefix text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  last_used_at timestamptz,
  revoked_at timestamptz,
  UNIQUE (tenant_id, id)
);

CREATE TABLE creators (
  id uuid PRIMARY KEY,
  tenant_id uuid NOT NULL REFERENCES tenants ON DELETE CASCADE,
  -- The account that made it; null when a key did.
  owner_id uuid,
  slug text NOT NULL,
  name text NOT NULL,
  description text NOT NULL DEFAULT '',
  persona text NOT NULL DEFAULT '',
  language text NOT NULL DEFAULT 'en',
  public boolean NOT NULL DEFAULT true,
  avatar_url text,
  questions text[] NOT NULL DEFAULT '{}',
  -- Counts up with each change of what the creator knows, and of how the creator speaks.
  knowledge_version integer NOT NULL DEFAULT 1,
  persona_version integer NOT NULL DEFAULT 1,
  created_at timestamptz NOT NULL DEFAULT now(),
  UNIQUE (tenant_id, id),
  UNIQUE (tenant_id, slug)
);
CREATE INDEX creators_list ON creators (tenant_id, created_at, id);

CREATE TABLE sources (
  id uuid PRIMARY KEY,
  tenant_id uuid NOT NULL,
  creator_id uuid NOT NULL,
  title text NOT NULL,
  kind text NOT NULL CHECK (kind IN ('video', 'podcast', 'article', 'file')),
  url text,
  published_at timestamptz,
  format text NOT NULL,
  -- Counts up with each replacement; ingestion of an older version ends without effect.
  content_version integer NOT NULL DEFAULT 1,
  status text NOT NULL DEFAULT 'queued' CHECK (status IN ('queued', 'ingesting', 'ready', 'failed')),
  progress real NOT NULL DEFAULT 0,
  passages integer NOT NULL DEFAULT 0,
  error text,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  UNIQUE (tenant_id, id),
  FOREIGN KEY (tenant_id, creator_id) REFERENCES creators (tenant_id, id) ON DELETE CASCADE
);
CREATE INDEX sources_list ON sources (tenant_id, creator_id, created_at, id);
CREATE INDEX sources_unfinished ON sources (updated_at) WHERE status IN ('queued', 'ingesting');

CREATE TABLE source_contents (
  tenant_id uuid NOT NULL,
  source_id uuid NOT NULL,
  content text NOT NULL,
  PRIMARY KEY (tenant_id, source_id),
  FOREIGN KEY (tenant_id, source_id) REFERENCES sources (tenant_id, id) ON DELETE CASCADE
);

-- What was said, cue by cue: the transcript page and the seconds of a quote come from here.
CREATE TABLE segments (
  tenant_id uuid NOT NULL,
  source_id uuid NOT NULL,
  ordinal integer NOT NULL,
  start_seconds double precision,
  end_seconds double precision,
  speaker text,
  text text NOT NULL,
  PRIMARY KEY (tenant_id, source_id, ordinal),
  FOREIGN KEY (tenant_id, source_id) REFERENCES sources (tenant_id, id) ON DELETE CASCADE
);

CREATE TABLE passages (
  id uuid PRIMARY KEY,
  tenant_id uuid NOT NULL,
  creator_id uuid NOT NULL,
  source_id uuid NOT NULL,
  ordinal integer NOT NULL,
  text text NOT NULL,
  start_seconds double precision,
  end_seconds double precision,
  -- [{offset, start_seconds, end_seconds, speaker, text}]: which part of `text` was said when.
  segments jsonb NOT NULL DEFAULT '[]',
  language regconfig NOT NULL DEFAULT 'english',
  search tsvector GENERATED ALWAYS AS (to_tsvector(language, text)) STORED,
  UNIQUE (tenant_id, id),
  FOREIGN KEY (tenant_id, source_id) REFERENCES sources (tenant_id, id) ON DELETE CASCADE
);
CREATE INDEX passages_source ON passages (tenant_id, source_id, ordinal);
CREATE INDEX passages_creator ON passages (tenant_id, creator_id);
CREATE INDEX passages_search ON passages USING gin (search);

-- Vectors of different models never mix: `model` is '<name>@<version>'. A passage may have several (whole, and its halves): `part`.
CREATE TABLE passage_vectors (
  tenant_id uuid NOT NULL,
  creator_id uuid NOT NULL,
  passage_id uuid NOT NULL,
  model text NOT NULL,
  part smallint NOT NULL DEFAULT 0,
  -- float32, little endian
  vector bytea NOT NULL,
  PRIMARY KEY (tenant_id, passage_id, model, part),
  FOREIGN KEY (tenant_id, passage_id) REFERENCES passages (tenant_id, id) ON DELETE CASCADE
);
CREATE INDEX passage_vectors_creator ON passage_vectors (tenant_id, creator_id, model);

CREATE TABLE conversations (
  id uuid PRIMARY KEY,
  tenant_id uuid NOT NULL,
  creator_id uuid NOT NULL,
  -- Who may read it: 'user:<id>' or 'key:<id>'.
  principal text NOT NULL,
  -- An integrator's own end user.
  end_user_id text,
  title text NOT NULL,
  next_ordinal integer NOT NULL DEFAULT 1,
  -- The one turn that may be offered or run; null when none is open. Guarded by this row's lock, so order needs no polling.
  head_turn_id uuid,
  created_at timestamptz NOT NULL DEFAULT now(),
  last_message_at timestamptz NOT NULL DEFAULT now(),
  UNIQUE (tenant_id, id),
  FOREIGN KEY (tenant_id, creator_id) REFERENCES creators (tenant_id, id) ON DELETE CASCADE
);
CREATE INDEX conversations_principal ON conversations (tenant_id, principal, last_message_at DESC, id DESC);
CREATE INDEX conversations_creator ON conversations (tenant_id, creator_id, last_message_at DESC, id DESC);

CREATE TABLE turns (
  id uuid PRIMARY KEY,
  tenant_id uuid NOT NULL,
  conversation_id uuid NOT NULL,
  creator_id uuid NOT NULL,
  -- The stream of events belongs to the generation; several turns may follow one.
  generation_id uuid NOT NULL,
  principal text NOT NULL,
  tier text NOT NULL CHECK (tier IN ('free', 'premium', 'enterprise')),
  -- Place in the conversation, in the order accepted.
  ordinal integer NOT NULL,
  -- An integrator's own end user; '' when there is none.
  end_user_id text NOT NULL DEFAULT '',
  -- waiting: behind another of its conversation. offered: head, in the queue. running: claimed. done: ended, see outcome.
  state text NOT NULL CHECK (state IN ('waiting', 'offered', 'running', 'done')),
  outcome text CHECK (outcome IN ('completed', 'failed', 'cancelled', 'dead')),
  -- Fences writers: each claim counts up, each later write names its epoch.
  epoch integer NOT NULL DEFAULT 0,
  -- Model errors; deaths of a worker while this turn ran. A park or a drain adds to neither.
  failures integer NOT NULL DEFAULT 0,
  crashes integer NOT NULL DEFAULT 0,
  message text NOT NULL,
  video_url text,
  idempotency_key text,
  request_hash bytea,
  request_id text,
  traceparent text,
  accepted_at timestamptz NOT NULL DEFAULT now(),
  deadline_at timestamptz NOT NULL,
  -- Earliest next attempt (backoff, or as a provider's 429 told).
  not_before timestamptz,
  -- When it was last put into the queue, or seen there.
  offered_at timestamptz,
  started_at timestamptz,
  first_text_at timestamptz,
  -- The running worker's sign of life.
  heartbeat_at timestamptz,
  ended_at timestamptz,
  -- Whether the terminal event reached the replay buffer: done and not announced is the sweeper's too.
  announced boolean NOT NULL DEFAULT false,
  reply_text text,
  citations jsonb,
  grounded boolean,
  finish_reason text,
  model text,
  input_tokens integer,
  output_tokens integer,
  -- The problem of a failed or dead turn.
  problem jsonb,
  feedback text CHECK (feedback IN ('up', 'down')),
  feedback_comment text,
  UNIQUE (tenant_id, id),
  UNIQUE (conversation_id, ordinal),
  CHECK ((state = 'done') = (outcome IS NOT NULL)),
  CHECK (outcome IS DISTINCT FROM 'completed' OR reply_text IS NOT NULL),
  FOREIGN KEY (tenant_id, conversation_id) REFERENCES conversations (tenant_id, id) ON DELETE CASCADE
);
-- One running turn a conversation, whatever goes wrong elsewhere.
CREATE UNIQUE INDEX turns_one_running ON turns (conversation_id) WHERE state = 'running';
CREATE UNIQUE INDEX turns_idempotency ON turns (tenant_id, principal, end_user_id, idempotency_key) WHERE idempotency_key IS NOT NULL;
CREATE INDEX turns_open ON turns (state, offered_at) WHERE state <> 'done';
CREATE INDEX turns_open_principal ON turns (tenant_id, principal) WHERE state <> 'done';
CREATE INDEX turns_unannounced ON turns (ended_at) WHERE state = 'done' AND NOT announced;

-- Append-only: who did what to keys, policies, tenants, accounts.
CREATE TABLE audit (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  tenant_id uuid NOT NULL,
  at timestamptz NOT NULL DEFAULT now(),
  actor text NOT NULL,
  action text NOT NULL,
  subject text NOT NULL,
  detail jsonb NOT NULL DEFAULT '{}'
);

GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO sidestage_api, sidestage_engine;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO sidestage_api, sidestage_engine;
REVOKE UPDATE, DELETE ON audit FROM sidestage_api, sidestage_engine;
-- Tenants are made and changed by the engine role only (admin routes); handlers read their own.
REVOKE INSERT, UPDATE, DELETE ON tenants FROM sidestage_api;

DO $$
DECLARE name text;
BEGIN
  FOREACH name IN ARRAY ARRAY['users', 'refresh_tokens', 'api_keys', 'creators', 'sources', 'source_contents', 'segments', 'passages',
                              'passage_vectors', 'conversations', 'turns', 'audit'] LOOP
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
    EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
    EXECUTE format('CREATE POLICY tenant_wall ON %I TO sidestage_api USING (tenant_id = current_tenant()) WITH CHECK (tenant_id = current_tenant())', name);
    EXECUTE format('CREATE POLICY engine ON %I TO sidestage_engine USING (true) WITH CHECK (true)', name);
  END LOOP;
END $$;
ALTER TABLE tenants ENABLE ROW LEVEL SECURITY;
ALTER TABLE tenants FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_wall ON tenants TO sidestage_api USING (id = current_tenant());
CREATE POLICY engine ON tenants TO sidestage_engine USING (true) WITH CHECK (true);

-- Down Migration
DROP TABLE audit, turns, conversations, passage_vectors, passages, segments, source_contents, sources, creators, api_keys, refresh_tokens, users, tenants;
DROP FUNCTION current_tenant;
