import { GroupCommit } from '@sidestage/runtime';
import type { TurnReadRepository, TurnRow } from '@sidestage/store';

interface Wanted {
  tenantId: string;
  conversationId: string;
  since: Date | null;
}

/** The turns of a conversation that have not ended, and with `since` those accepted from then on, oldest first. */
export type OpenTurns = (tenantId: string, conversationId: string, since: Date | null) => Promise<TurnRow[]>;

/** Asks for many conversations at once: thousands of sockets that come back together must not become thousands of queries. */
export function makeOpenTurns(turns: Pick<TurnReadRepository, 'openTurns'>): OpenTurns {
  const group = new GroupCommit<Wanted, TurnRow[]>({
    maxWaitMs: 20,
    maxItems: 500,
    concurrency: 1,
    async commit(wanted) {
      const found = new Map<string, TurnRow[]>();
      for (const tenantId of new Set(wanted.map((one) => one.tenantId))) {
        const ofTenant = wanted.filter((one) => one.tenantId === tenantId);
        const ids = [...new Set(ofTenant.map((one) => one.conversationId))];
        for (const row of await turns.openTurns(tenantId, ids, earliest(ofTenant))) {
          const rows = found.get(row.conversation_id) ?? [];
          found.set(row.conversation_id, [...rows, row]);
        }
      }
      return wanted.map(({ conversationId, since }) =>
        (found.get(conversationId) ?? []).filter(
          (row) => row.state !== 'done' || (since !== null && row.accepted_at >= since),
        ),
      );
    },
  });
  return (tenantId, conversationId, since) => group.add({ tenantId, conversationId, since });
}

function earliest(wanted: Wanted[]): Date | null {
  const times = wanted.flatMap(({ since }) => (since ? [since.getTime()] : []));
  return times.length > 0 ? new Date(Math.min(...times)) : null;
}
