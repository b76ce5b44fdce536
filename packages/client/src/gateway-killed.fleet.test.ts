import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { ClientEvent } from '@sidestage/contracts';
import { makeLogger } from '@sidestage/runtime';
import { makeApiKey, makeApiKeyRepository, makeDatabase, makeTenantRepository } from '@sidestage/store';
import { makeTestDatabase, startFleet, type TestDatabase, type TestFleet, waitFor } from '@sidestage/testkit';
import { makeSidestage, type Sidestage, type TransportKind, type Turn } from './index.js';

const reply = Array.from({ length: 60 }, (_, index) => `word${index}`).join(' ');
let database: TestDatabase;
let fleet: TestFleet;
let key: string;

beforeAll(async () => {
  database = await makeTestDatabase();
  const logger = makeLogger({ service: 'test', level: 'CRITICAL' });
  const store = makeDatabase({ url: database.url, max: 2, idleMs: 1_000, waitMs: 5_000, logger });
  const { id: tenant_id } = await makeTenantRepository(store.engine).create({ name: 'Client' });
  const made = makeApiKey();
  key = made.key;
  const { hash, prefix } = made;
  await makeApiKeyRepository(store).create({ tenant_id, name: 'key', tier: 'enterprise', hash, prefix, actor: 'test' });
  await store.close();
  fleet = await startFleet({ database, gateways: 2, retrieval: false });
  await fetch(`${fleet.gateways[0]?.url}/api/v1/creators`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    body: JSON.stringify({ slug: 'ada', name: 'Ada' }),
  });
}, 120_000);
afterAll(async () => {
  await fleet?.stop();
  await database?.drop();
});

function makeClient(transports: TransportKind[]): Sidestage {
  return makeSidestage({ url: fleet.gateways.map(({ url }) => url), credential: key, transports });
}

async function eventsOf(turn: Turn): Promise<ClientEvent[]> {
  const events: ClientEvent[] = [];
  for await (const event of turn) events.push(event);
  return events;
}
const textOf = (events: ClientEvent[]) =>
  events.reduce((text, event) => (event.type === 'delta' ? text + event.text : event.type === 'reset' ? '' : text), '');

describe('a gateway killed in the middle of replies', () => {
  test.each<TransportKind>(['ws', 'sse', 'post'])(
    'loses, repeats and skips nothing over %s',
    async (transport) => {
      fleet.model?.behave({ reply, tokenDelayMs: 40 });
      const client = makeClient([transport]);
      const conversations = Array.from({ length: 5 }, () => client.conversation({ creatorId: 'ada' }));
      const turns = conversations.map((conversation, index) => conversation.send(`${transport} question ${index}`));
      const all = turns.map(eventsOf);
      await waitFor(() => turns.every((turn) => (transport === 'post' ? turn.messageId !== null : turn.text !== '')));
      await fleet.gateways[0]?.kill();
      try {
        for (const [index, turn] of turns.entries()) {
          const { message_id, reply: told } = await turn.reply;
          const events = (await all[index]) ?? [];
          expect(told.text).toBe(reply);
          expect(textOf(events)).toBe(reply);
          const numbers = events.map(({ seq }) => seq).filter((seq) => seq > 0);
          expect(numbers).toEqual(numbers.map((_, place) => (numbers[0] ?? 0) + place));
          const [stored] = await database.query('SELECT reply_text FROM turns WHERE id = $1', [message_id]);
          expect(stored).toEqual({ reply_text: reply });
        }
        expect(
          await database.query('SELECT message FROM turns WHERE message LIKE $1', [`${transport} %`]),
        ).toHaveLength(5);
      } finally {
        await client.close();
        await fleet.gateways[0]?.start();
      }
    },
    60_000,
  );
});

describe('the README', () => {
  const folder = join(import.meta.dirname, '..');

  test('shows lines that run as they stand', async () => {
    fleet.model?.behave({ reply });
    const [, code = ''] = /```js\n([\s\S]*?)```/.exec(readFileSync(join(folder, 'README.md'), 'utf8')) ?? [];
    expect(code.trimEnd().split('\n').length).toBeLessThanOrEqual(20);
    // Inside the package, where its own name leads to what was built.
    const place = mkdtempSync(join(folder, 'dist', 'readme-'));
    try {
      const file = join(place, 'example.mjs');
      writeFileSync(file, code);
      const env = { ...process.env, NODE_OPTIONS: '', SIDESTAGE_URL: fleet.gateways[1]?.url, SIDESTAGE_KEY: key };
      const { stdout, stderr } = await promisify(execFile)(process.execPath, [file, 'ada', 'Who?'], { env });
      expect(stdout.trim()).toBe(reply);
      expect(stderr).toContain('[open, ws]');
    } finally {
      rmSync(place, { recursive: true, force: true });
    }
  }, 60_000);
});
