import { retrievalSearchAnswer } from '@sidestage/contracts';
import type { EmbeddingModel } from '@sidestage/models';
import { unpackVector } from '@sidestage/store';
import type { TestDatabase } from '@sidestage/testkit';
import { wholePart } from '../chunk/windows.js';
import { modelId } from '../ingest/embed-windows.js';
import type { FoundPlace } from '../testing/hit-rates.js';
import type { StoredShow } from '../testing/show-library.js';
import type { ShowQuestion } from '../testing/shows.js';

export type Search = (question: ShowQuestion) => Promise<FoundPlace[]>;
export type Library = ReadonlyMap<string, StoredShow>;

interface PlainPassage extends FoundPlace {
  vector: Float32Array;
}

/** What every improvement is held against: the cosine of question and passage and nothing else. */
export async function makePlainSearch(
  database: TestDatabase,
  embeddings: EmbeddingModel,
  library: Library,
): Promise<Search> {
  const shows = new Map<string, PlainPassage[]>();
  for (const [name, stored] of library) shows.set(name, await readPlain(database, modelId(embeddings), stored));
  return async ({ question, show }) => {
    const vector = await embeddings.embedQuery(question);
    return (shows.get(show) ?? [])
      .map((passage) => ({
        passage,
        cosine: passage.vector.reduce((sum, value, at) => sum + value * (vector[at] ?? 0), 0),
      }))
      .sort((a, b) => b.cosine - a.cosine)
      .slice(0, 5)
      .map(({ passage }) => passage);
  };
}

async function readPlain(database: TestDatabase, model: string, stored: StoredShow): Promise<PlainPassage[]> {
  const rows = await database.query<{
    source_id: string;
    start_seconds: number | null;
    end_seconds: number | null;
    vector: Buffer;
  }>(
    `SELECT p.source_id, p.start_seconds, p.end_seconds, v.vector FROM passages p
     JOIN passage_vectors v ON v.tenant_id = p.tenant_id AND v.passage_id = p.id AND v.model = $2 AND v.part = $3
     WHERE p.tenant_id = $1`,
    [stored.tenant_id, model, wholePart],
  );
  return rows.map(({ source_id, vector, ...seconds }) => ({
    ...seconds,
    file: stored.files.get(source_id) ?? '',
    vector: unpackVector(vector),
  }));
}

/** Asks the running service as a chat worker does. Throws when another index than `index` answered. */
export function makeHttpSearch(port: number, token: string, library: Library, index: string): Search {
  return async ({ question, show }) => {
    const stored = library.get(show);
    const response = await fetch(`http://127.0.0.1:${port}/internal/search`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body: JSON.stringify({ tenant_id: stored?.tenant_id, creator_id: stored?.creator_id, query: question, limit: 5 }),
    });
    if (!response.ok) throw new Error(`search answered ${response.status}: ${await response.text()}`);
    const answer = retrievalSearchAnswer.parse(await response.json());
    if (answer.index !== index) throw new Error(`asked ${index}, and ${answer.index} answered`);
    return answer.passages.map(({ source_id, start_seconds, end_seconds, similarity }) => ({
      file: stored?.files.get(source_id) ?? '',
      start_seconds,
      end_seconds,
      similarity,
    }));
  };
}
