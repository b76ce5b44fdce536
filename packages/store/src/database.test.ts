import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { makeLogger } from '@sidestage/runtime';
import { makeTestDatabase, type TestDatabase, waitFor } from '@sidestage/testkit';
import { makeDatabase } from './database.js';

describe('the connections of a process', () => {
  let server: TestDatabase;
  beforeAll(async () => {
    server = await makeTestDatabase();
  });
  afterAll(() => server.drop());

  it('are open before the first burst, shared by both roles, and never more than it may have', async () => {
    const logger = makeLogger({ service: 'test', level: 'CRITICAL' });
    const options = { url: server.url, idleMs: 60_000, waitMs: 5_000, logger };
    const many = makeDatabase({ ...options, max: 12, min: 10 });
    const few = makeDatabase({ ...options, max: 4, min: 10 });
    try {
      const open = () => [many.engine, many.api, few.engine, few.api].map((pool) => pool.idleCount);
      await waitFor(() => String(open()) === String([5, 5, 2, 2]), { what: 'the connections to be open' });
      await Promise.all(Array.from({ length: 40 }, () => few.api.query('SELECT pg_sleep(0.01)')));
      expect(few.api.totalCount).toBe(2);
    } finally {
      await Promise.all([many.close(), few.close()]);
    }
  });
});
