import { randomUUID } from 'node:crypto';
import { rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { findFreePort, startOwnedProcess } from '@sidestage/embedded';
import { waitFor } from '../wait-for.js';
import type { ModelBehaviour } from './behaviour.js';

/** A model server in a process of its own: what it streams does not wait for the test's work. */
export interface ModelProcess {
  readonly url: string;
  readonly port: number;
  /** What requests get from now on; `{}` is a normal reply. */
  behave(behaviour: ModelBehaviour): Promise<void>;
  /** What the next chat requests get, one each, before the default again. */
  next(...behaviours: ModelBehaviour[]): Promise<void>;
  /** The replies being sent now go on without a pause between their words. */
  hurry(): Promise<void>;
  close(): Promise<void>;
}

/** Starts one and waits until it listens. */
export async function startModelProcess(kind: 'gemini' | 'openai'): Promise<ModelProcess> {
  const port = await findFreePort();
  const logFile = join(tmpdir(), `sidestage-model-${randomUUID()}.log`);
  const child = await startOwnedProcess({
    command: process.execPath,
    args: [fileURLToPath(new URL('main.js', import.meta.url)), kind, '--port', String(port)],
    logFile,
  });
  const origin = `http://127.0.0.1:${port}`;
  const control = async (route: 'behaviour' | 'hurry', body: object): Promise<void> => {
    const response = await fetch(`${origin}/control/${route}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
    if (!response.ok) throw new Error(`the model server refused: ${await response.text()}`);
  };
  await waitFor(() => control('behaviour', {}).then(() => true), { what: 'the model server' });
  return {
    url: kind === 'openai' ? `${origin}/v1` : origin,
    port,
    behave: (behaviour) => control('behaviour', { default: behaviour }),
    next: (...behaviours) => control('behaviour', { next: behaviours }),
    hurry: () => control('hurry', {}),
    async close() {
      await child.stop();
      rmSync(logFile, { force: true });
    },
  };
}
