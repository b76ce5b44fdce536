import type { FleetProcess } from '@sidestage/testkit';
import { WebSocket } from 'ws';
import { z } from 'zod';

const answer = z.object({
  id: z.number(),
  result: z.looseObject({ result: z.looseObject({ value: z.string() }).optional() }).optional(),
});
const seen = z.object({
  objects: z.number(),
  heap: z.number(),
  rss: z.number(),
  resources: z.record(z.string(), z.number()),
});

/**
 * A process from within, after its garbage was collected. Bytes; `objects` is the heap without compiled code: V8 goes on compiling what it finds to
 * be hot, and of a gateway's heap under 15 clients a second that code and its notes were all that grew in half an hour. `resources` as node names
 * what keeps it alive.
 */
export type Insight = z.infer<typeof seen>;

/** What a process must be started with to be looked into. */
export const insightOptions = '--inspect=127.0.0.1:0';

const look = `(() => {
  const resources = {};
  for (const kind of process.getActiveResourcesInfo()) resources[kind] = (resources[kind] ?? 0) + 1;
  const { heapUsed, rss } = process.memoryUsage();
  const spaces = process.getBuiltinModule('node:v8').getHeapSpaceStatistics();
  const code = spaces.filter(({ space_name }) => space_name.startsWith('code_'));
  const objects = code.reduce((left, { space_used_size }) => left - space_used_size, heapUsed);
  return JSON.stringify({ objects, heap: heapUsed, rss, resources });
})()`;

/** Collects a process's garbage and looks at what is left, through node's inspector. */
export async function lookInto(part: FleetProcess): Promise<Insight> {
  const address = [...part.log().matchAll(/Debugger listening on (ws:\S+)/g)].at(-1)?.[1];
  if (address === undefined) throw new Error(`${part.name} was started without ${insightOptions}`);
  const socket = new WebSocket(address);
  await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject));
  let calls = 0;
  const call = (method: string, params = {}): Promise<z.infer<typeof answer>> =>
    new Promise((resolve) => {
      const id = ++calls;
      const onMessage = (data: unknown): void => {
        const heard: unknown = JSON.parse(String(data));
        if (typeof heard !== 'object' || heard === null || !('id' in heard) || heard.id !== id) return;
        socket.off('message', onMessage);
        resolve(answer.parse(heard));
      };
      socket.on('message', onMessage);
      socket.send(JSON.stringify({ id, method, params }));
    });
  try {
    // Twice: the first frees what the second may then find unreachable.
    await call('HeapProfiler.collectGarbage');
    await call('HeapProfiler.collectGarbage');
    const { result } = await call('Runtime.evaluate', { expression: look, returnByValue: true });
    return seen.parse(JSON.parse(result?.result?.value ?? '{}'));
  } finally {
    socket.close();
  }
}
