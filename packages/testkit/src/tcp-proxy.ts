import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

export interface TcpProxyOptions {
  /** Where it leads: `host:port`. */
  target: string;
}

/** What stands between two parts and can fail as networks do. Every fault holds until {@link TcpProxy.heal}. */
export interface TcpProxy {
  readonly port: number;
  /** `127.0.0.1:<port>` */
  readonly address: string;
  /** Connections through it now. */
  readonly connections: number;
  /** Each piece of data arrives `ms` later, in both directions, in order. */
  delay(ms: number): void;
  /** Half-open: nothing is carried any more, not even an end; connections made meanwhile stay silent too. */
  hold(): void;
  /** At most so many bytes a second reach the client of each connection. */
  throttle(bytesPerSecond: number): void;
  /** New connections are reset. */
  refuse(): void;
  /** Resets every connection there is; new ones work. Gives how many. */
  cut(): number;
  /** Everything is carried again. What was held, and what would have ended meanwhile, is reset: its other side has given up. */
  heal(): void;
  close(): Promise<void>;
}

interface Faults {
  delayMs: number;
  held: boolean;
  bytesPerSecond: number | null;
  refused: boolean;
}

const healthy: Faults = { delayMs: 0, held: false, bytesPerSecond: null, refused: false };

interface Link {
  /** It was held, so its two ends do not know the same any more. */
  stale: boolean;
  reset(): void;
}

/** Starts a proxy on a free port of loopback. */
export async function startTcpProxy({ target }: TcpProxyOptions): Promise<TcpProxy> {
  const colon = target.lastIndexOf(':');
  const [host, targetPort] = [target.slice(0, colon), Number(target.slice(colon + 1))];
  const links = new Set<Link>();
  let faults = healthy;

  function carry(from: Socket, to: Socket, towardsClient: boolean): void {
    let last = Promise.resolve();
    from.on('data', (data) => {
      if (faults.held) return;
      const { delayMs, bytesPerSecond } = faults;
      const paceMs = towardsClient && bytesPerSecond !== null ? (data.length / bytesPerSecond) * 1_000 : 0;
      const write = (): void => {
        if (faults.held || to.destroyed || to.write(data)) return;
        from.pause();
        to.once('drain', () => from.resume());
      };
      if (delayMs === 0 && paceMs === 0) {
        last = last.then(write);
        return;
      }
      // Paced data holds up what follows it; delayed data only arrives later.
      if (paceMs > 0) from.pause();
      const arrives = new Promise<void>((resolve) => setTimeout(resolve, Math.max(delayMs, paceMs)));
      last = last.then(() => arrives).then(write);
      if (paceMs > 0) void last.then(() => from.resume());
    });
    from.on('end', () => {
      if (!faults.held) void last.then(() => to.end());
    });
  }

  const server = createServer({ allowHalfOpen: true, noDelay: true }, (client) => {
    client.on('error', () => undefined);
    if (faults.refused) {
      client.resetAndDestroy();
      return;
    }
    const behind = connect({ host, port: targetPort, allowHalfOpen: true, noDelay: true });
    const link: Link = {
      stale: faults.held,
      reset() {
        client.resetAndDestroy();
        behind.resetAndDestroy();
      },
    };
    links.add(link);
    behind.on('error', () => {
      if (!faults.held) client.resetAndDestroy();
    });
    const gone = (other: Socket) => (): void => {
      if (faults.held) {
        link.stale = true;
        return;
      }
      links.delete(link);
      if (!other.destroyed) void setTimeout(() => other.destroy(), faults.delayMs).unref();
    };
    client.on('close', gone(behind));
    behind.on('close', gone(client));
    carry(client, behind, false);
    carry(behind, client, true);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;

  function resetAll(which: (link: Link) => boolean): number {
    const reset = [...links].filter(which);
    for (const link of reset) {
      links.delete(link);
      link.reset();
    }
    return reset.length;
  }

  return {
    port,
    address: `127.0.0.1:${port}`,
    get connections() {
      return links.size;
    },
    delay(ms) {
      faults = { ...faults, delayMs: ms };
    },
    hold() {
      faults = { ...faults, held: true };
      for (const link of links) link.stale = true;
    },
    throttle(bytesPerSecond) {
      faults = { ...faults, bytesPerSecond };
    },
    refuse() {
      faults = { ...faults, refused: true };
    },
    cut: () => resetAll(() => true),
    heal() {
      faults = healthy;
      resetAll((link) => link.stale);
    },
    async close() {
      faults = healthy;
      resetAll(() => true);
      const closed = once(server, 'close');
      server.close();
      await closed;
    },
  };
}
