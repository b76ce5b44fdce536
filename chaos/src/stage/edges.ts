import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { EdgeAction, EdgeAnswer, EdgeRequest } from './edge-messages.js';

export type { EdgeAction } from './edge-messages.js';

type Unnumbered<Request> = Request extends unknown ? Omit<Request, 'id'> : never;

/** The network between the parts. */
export interface Edges {
  /** Puts a proxy in front of `target` (`host:port`) and gives the address that leads through it. */
  open(name: string, target: string): Promise<string>;
  /** Gives the connections there are, or with `cut` those that were reset. */
  act(name: string, action: EdgeAction): Promise<number>;
  names(): string[];
  close(): Promise<void>;
}

/** The network as it is: nothing stands between the parts, and nothing can be done to it. */
export const directEdges: Edges = {
  open: async (_name, target) => target,
  act: async () => {
    throw new Error('this stage has no network that can fail');
  },
  names: () => [],
  close: async () => undefined,
};

/** Starts the process that carries it. */
export function startEdges(): Edges {
  const child = fork(fileURLToPath(new URL('edges-main.js', import.meta.url)));
  const waiting = new Map<number, { resolve: (value: number) => void; reject: (error: Error) => void }>();
  const names: string[] = [];
  let requests = 0;

  child.on('message', (answer: EdgeAnswer) => {
    const asked = waiting.get(answer.id);
    waiting.delete(answer.id);
    if ('error' in answer) asked?.reject(new Error(answer.error));
    else asked?.resolve(answer.value);
  });
  child.on('exit', () => {
    for (const { reject } of waiting.values()) reject(new Error('the network process has ended'));
    waiting.clear();
  });

  function ask(request: Unnumbered<EdgeRequest>): Promise<number> {
    requests += 1;
    const id = requests;
    return new Promise((resolve, reject) => {
      waiting.set(id, { resolve, reject });
      child.send({ ...request, id });
    });
  }

  return {
    async open(name, target) {
      const port = await ask({ kind: 'open', name, target });
      names.push(name);
      return `127.0.0.1:${port}`;
    },
    act: (name, action) => ask({ kind: 'act', name, action }),
    names: () => [...names],
    async close() {
      const gone = once(child, 'exit');
      child.disconnect();
      await gone;
    },
  };
}
