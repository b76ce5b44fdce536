-- Up Migration

-- Workers that were found dead, of the whole fleet. A turn is suspected by how many of them died while it ran and how many without it.
CREATE TABLE worker_deaths (
  worker_id text PRIMARY KEY,
  at timestamptz NOT NULL DEFAULT now(),
  -- The suspect that ran alone on it: such a death is put down to that turn.
  lone_turn_id uuid
);
CREATE INDEX worker_deaths_at ON worker_deaths (at);
GRANT SELECT, INSERT, DELETE ON worker_deaths TO sidestage_engine;

-- Whether the run under way was begun with the worker to itself.
ALTER TABLE turns ADD COLUMN alone boolean NOT NULL DEFAULT false;

-- Down Migration
ALTER TABLE turns DROP COLUMN alone;
DROP TABLE worker_deaths;
