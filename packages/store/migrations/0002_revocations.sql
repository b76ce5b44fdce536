-- Up Migration

-- Credentials that ended before their time. Gateways read the newest entries every few seconds, so a revocation holds even while Redis,
-- which usually carries the news, is down. An entry can go once every access token it concerns has expired.
CREATE TABLE revocations (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  tenant_id uuid NOT NULL,
  -- 'user:<id>', 'session:<family id>' or 'key:<id>'
  subject text NOT NULL,
  at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX revocations_at ON revocations (at);
GRANT SELECT, INSERT, DELETE ON revocations TO sidestage_api, sidestage_engine;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO sidestage_api, sidestage_engine;
ALTER TABLE revocations ENABLE ROW LEVEL SECURITY;
ALTER TABLE revocations FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_wall ON revocations TO sidestage_api USING (tenant_id = current_tenant()) WITH CHECK (tenant_id = current_tenant());
CREATE POLICY engine ON revocations TO sidestage_engine USING (true) WITH CHECK (true);

-- Down Migration
DROP TABLE revocations;
