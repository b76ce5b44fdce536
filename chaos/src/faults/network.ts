import { setTimeout as sleep } from 'node:timers/promises';
import type { EdgeAction } from '../stage/edges.js';
import type { Fault } from './fault.js';
import { interrupt } from './interrupt.js';

/** Strikes one edge between two parts, whichever the seed says. */
function netFault(name: string, what: string, action: EdgeAction, forMs: number): Fault {
  return {
    name,
    what,
    share: 2,
    outage: true,
    network: true,
    async strike(scene) {
      const { edges } = scene.stage;
      const edge = scene.random.pick(edges.names());
      return interrupt(scene, async () => {
        await edges.act(edge, action);
        await sleep(forMs);
        await edges.act(edge, { do: 'heal' });
      });
    },
  };
}

export const netDelay = netFault('net-delay', '200 ms more between two parts for 4 s', { do: 'delay', ms: 200 }, 4_000);
export const netCut = netFault('net-cut', 'every connection between two parts reset', { do: 'cut' }, 0);
export const netRefuse = netFault('net-refuse', 'no new connection between two parts for 3 s', { do: 'refuse' }, 3_000);
export const netHalfOpen = netFault(
  'net-half-open',
  'connections between two parts carry nothing for 6 s, and do not end',
  { do: 'hold' },
  6_000,
);
export const netSlowReader = netFault(
  'net-slow-reader',
  '20 kB/s at most on each connection between two parts for 4 s',
  { do: 'throttle', bytesPerSecond: 20_000 },
  4_000,
);
