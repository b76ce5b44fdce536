import { setMaxListeners } from 'node:events';
import type { EmbeddingModel } from '@sidestage/models';
import type { NewVector } from '@sidestage/store';
import type { PassageWindow } from '../chunk/windows.js';

/** '<name>@<version>': what vectors and indexes are filed under. */
export function modelId(model: Pick<EmbeddingModel, 'name' | 'version'>): string {
  return `${model.name}@${model.version}`;
}

/** Windows given to the model at once: a source of ten megabytes must not keep another waiting to its end. */
const batch = 128;

/** The vectors of all windows of a source. `onProgress` gets 0 to 1. Throws ModelError. */
export async function embedWindows(
  model: EmbeddingModel,
  passageIds: readonly string[],
  windows: readonly PassageWindow[],
  options: { signal?: AbortSignal | undefined; onProgress?: (share: number) => void } = {},
): Promise<NewVector[]> {
  const found: NewVector[] = [];
  // Each text listens to the signal while it waits.
  if (options.signal) setMaxListeners(0, options.signal);
  for (let from = 0; from < windows.length; from += batch) {
    const some = windows.slice(from, from + batch);
    const vectors = await model.embedPassages(
      some.map(({ text }) => text),
      {
        ...(options.signal && { signal: options.signal }),
        onProgress: (done) => options.onProgress?.((from + done) / windows.length),
      },
    );
    for (const [at, { passage, part }] of some.entries()) {
      const vector = vectors[at];
      const passage_id = passageIds[passage];
      if (vector && passage_id !== undefined) found.push({ passage_id, part, vector });
    }
  }
  return found;
}
