-- Up Migration

-- A dead turn is listed until an operator retries it (then it is open again) or drops it (then it is history and nothing else).
ALTER TABLE turns ADD COLUMN dropped_at timestamptz;
CREATE INDEX turns_dead ON turns (ended_at DESC, id DESC) WHERE outcome = 'dead' AND dropped_at IS NULL;

-- Down Migration
DROP INDEX turns_dead;
ALTER TABLE turns DROP COLUMN dropped_at;
