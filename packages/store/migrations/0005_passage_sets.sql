-- Up Migration

ALTER TABLE sources
  -- SHA-256 of the content as it was uploaded or fetched, in hex; of a PDF of its bytes. Null until it is there.
  ADD COLUMN content_sha256 text,
  -- Names the passages that are searched: another name, other passages. Null where there are none.
  ADD COLUMN passage_set uuid;

UPDATE sources s SET passage_set = p.id FROM passages p
WHERE p.tenant_id = s.tenant_id AND p.source_id = s.id AND p.ordinal = 0;

-- Down Migration
ALTER TABLE sources DROP COLUMN content_sha256, DROP COLUMN passage_set;
