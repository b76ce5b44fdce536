import { creatorSchema, sourceStatuses } from '@sidestage/contracts';
import { z } from 'zod';
import { LaunchError } from '../launch-error.js';
import type { DemoCreator } from './demo-material.js';
import type { GatewayClient } from './gateway-client.js';

const POLL_EVERY_MS = 1_000;
const READY_WITHIN_MS = 15 * 60_000;

const listed = <T extends z.ZodType>(item: T) => z.object({ items: z.array(item) });
const creatorItem = creatorSchema.pick({ id: true, slug: true, name: true });
const sourceItem = z.object({
  id: z.string(),
  title: z.string(),
  status: z.enum(sourceStatuses),
  progress: z.number(),
  error: z.string().nullish(),
});
export type LoadedCreator = z.infer<typeof creatorItem>;

/** Makes what is missing of the demo creators and their sources; what an earlier start made is kept. */
async function post(client: GatewayClient, material: readonly DemoCreator[]): Promise<LoadedCreator[]> {
  const known = await client.get('/api/v1/creators?limit=100', listed(creatorItem));
  const loaded: LoadedCreator[] = [];
  for (const { body, sources } of material) {
    const creator =
      known.items.find(({ slug }) => slug === body.slug) ?? (await client.post('/api/v1/creators', body, creatorItem));
    const path = `/api/v1/creators/${creator.id}/sources`;
    const present = await client.get(`${path}?limit=100`, listed(sourceItem));
    const titles = new Set(present.items.map(({ title }) => title));
    for (const source of sources) {
      if (!titles.has(source.title)) await client.post(path, source, z.object({ id: z.string() }));
    }
    loaded.push({ id: creator.id, slug: creator.slug, name: creator.name });
  }
  return loaded;
}

/**
 * Loads the demo creators through the HTTP API and waits until each of their sources can be asked about.
 * @throws {LaunchError} when one fails, or they take longer than 15 minutes.
 */
export async function loadCreators(
  client: GatewayClient,
  material: readonly DemoCreator[],
  onProgress: (remark: string) => void,
): Promise<LoadedCreator[]> {
  const creators = await post(client, material);
  const total = material.reduce((sum, { sources }) => sum + sources.length, 0);
  const end = performance.now() + READY_WITHIN_MS;
  for (;;) {
    const paths = creators.map(({ id }) => `/api/v1/creators/${id}/sources?limit=100`);
    const lists = await Promise.all(paths.map((path) => client.get(path, listed(sourceItem))));
    const sources = lists.flatMap(({ items }) => items);
    const failed = sources.find(({ status }) => status === 'failed');
    if (failed) {
      const why = `source "${failed.title}" failed: ${failed.error ?? 'no reason was given'}`;
      throw new LaunchError('The demo could not be loaded', why, 'see .sidestage/logs/retrieval.log');
    }
    const ready = sources.filter(({ status }) => status === 'ready').length;
    if (ready >= total) return creators;
    const share = sources.reduce((sum, { status, progress }) => sum + (status === 'ready' ? 1 : progress), 0) / total;
    onProgress(`${ready} of ${total} sources ready, ${Math.round(share * 100)} %`);
    if (performance.now() > end) {
      const why = `${total - ready} of ${total} sources are not ready after 15 minutes`;
      throw new LaunchError(
        'The demo could not be loaded',
        why,
        'npm start continues it; see .sidestage/logs/retrieval.log',
      );
    }
    await new Promise((resolve) => setTimeout(resolve, POLL_EVERY_MS));
  }
}
