import { deadTurnSchema, sessionSchema } from '@sidestage/contracts';
import { waitFor } from '@sidestage/testkit';
import { z } from 'zod';
import type { Stage } from './stage/stage.js';

/** Turns during which several workers died are set aside; an operator tries them again. Gives their ids once they have ended. */
export async function retryDeadTurns({ gateways, postgres, tenant }: Stage): Promise<Set<string>> {
  const gateway = gateways[0]?.url ?? '';
  const call = async (method: string, path: string, token?: string, body?: object): Promise<unknown> => {
    const response = await fetch(`${gateway}/api/v1${path}`, {
      method,
      headers: { 'content-type': 'application/json', ...(token && { authorization: `Bearer ${token}` }) },
      ...(body && { body: JSON.stringify(body) }),
    });
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`);
    return response.json();
  };
  const { access_token: token } = sessionSchema.parse(await call('POST', '/auth/login', undefined, tenant.operator));
  const { items } = z
    .object({ items: z.array(deadTurnSchema) })
    .parse(await call('GET', '/admin/dead-turns?limit=100', token));
  for (const { id } of items) await call('POST', `/admin/dead-turns/${id}/retry`, token);
  const ids = items.map(({ id }) => id);
  const ended = async (): Promise<boolean> =>
    (await postgres.query(`SELECT 1 FROM turns WHERE id = ANY($1) AND state <> 'done'`, [ids])).length === 0;
  await waitFor(ended, { timeoutMs: 60_000, everyMs: 200, what: 'retried turns to end' });
  return new Set(ids);
}
