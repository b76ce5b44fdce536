import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { readConfig } from './config.js';
import { planFleet, wantedPorts } from './fleet-plan.js';

const addresses = {
  databaseUrl: 'postgres://d',
  redisUrl: 'redis://r',
  jwtSecret: 'j'.repeat(40),
  retrievalToken: 't',
};

describe('the launcher’s settings', () => {
  test('start the whole fleet on the documented ports when nothing is set', () => {
    const config = readConfig({}, []);
    expect(wantedPorts(config).map(({ name, port }) => `${name} ${port}`)).toEqual([
      'gateway 8000',
      'chat-worker-1 8001',
      'chat-worker-2 8002',
      'retrieval 8010',
      'web 3000',
    ]);
    expect(config.databaseUrl).toBeUndefined();
    expect(config.redisUrl).toBeUndefined();
  });

  test('name the variable, what was read and what is allowed', () => {
    expect(() => readConfig({ WEB_PORT: 'blue' }, [])).toThrow(/WEB_PORT is "blue": must be a whole number/);
    expect(() => readConfig({}, ['--only', 'gatway'])).toThrow(/--only is "gatway": must be one or more of gateway/);
  });

  test('refuse an address of another kind without showing the password in it', () => {
    expect(() => readConfig({ PUBLIC_WEB_URL: 'ftp://x' }, [])).toThrow(
      /PUBLIC_WEB_URL is "ftp:\/\/x": must be an address such as http/,
    );
    const mistaken = () => readConfig({ DATABASE_URL: 'mysql://me:hunter2@db/x' }, []);
    expect(mistaken).toThrow(/DATABASE_URL has a bad value: must be an address such as postgres:/);
    expect(mistaken).not.toThrow(/hunter2/);
  });

  test('point out names that are no setting, and only ours', () => {
    const environment = { SIDESTAGE_DATADIR: 'x', SIDESTAGE_DATA_DIR: 'y', EDITOR: 'vi' };
    expect(readConfig(environment, []).unknownNames).toEqual(['SIDESTAGE_DATADIR']);
  });

  test('take an empty value for none, so that a copied .env.example changes nothing', () => {
    const config = readConfig({ DATABASE_URL: '', DB_HOST: '', REDIS_URL: '', RETRIEVAL_URL: '' }, []);
    expect(config.databaseUrl).toBeUndefined();
    expect(planFleet(config, addresses)[0]?.env.RETRIEVAL_URL).toBe('http://127.0.0.1:8010');
  });

  test('give PORT to a lone service and ignore it for a fleet', () => {
    expect(readConfig({ PORT: '9000' }, ['--only', 'retrieval']).ports.retrieval).toBe(9000);
    const fleet = readConfig({ PORT: '9000' }, []);
    expect(fleet.ports.gateway).toBe(8000);
    expect(fleet.ignoredPort).toBe(9000);
  });

  test('tell each process its own port and how many share the pool', () => {
    const fleet = planFleet(readConfig({ PORT: '9000', GATEWAY_PORT: '8100' }, []), addresses);
    const told = fleet.map(({ name, env }) => `${name} ${env.PORT} ${env.FLEET_PROCESSES}`);
    expect(told).toEqual([
      'retrieval 8010 4',
      'chat-worker-1 8001 4',
      'chat-worker-2 8002 4',
      'gateway 8100 4',
      'web 3000 4',
    ]);
    expect(new Set(fleet.map(({ env }) => env.JWT_SECRET_KEY))).toEqual(new Set([addresses.jwtSecret]));
  });

  test('are all in .env.example, and nothing is there that no service reads', () => {
    const root = readConfig({}, []).root;
    const schemas = [
      'packages/runtime/src/env.ts',
      'packages/store/src/config.ts',
      'services/gateway/src/config.ts',
      'services/chat-worker/src/config.ts',
      'services/retrieval/src/config.ts',
      'services/web/src/server/config.ts',
      'services/launcher/src/config.ts',
    ].map((file) => join(root, file));
    const read = new Set(
      schemas.flatMap((file) =>
        [...readFileSync(file, 'utf8').matchAll(/^ {2,}([A-Z][A-Z0-9_]+):/gm)].map((m) => m[1]),
      ),
    );
    const compose = readFileSync(join(root, 'docker-compose.yml'), 'utf8');
    for (const [, name] of compose.matchAll(/\$\{([A-Z][A-Z0-9_]*)/g)) read.add(name);
    const example = readFileSync(join(root, '.env.example'), 'utf8');
    const offered = new Set([...example.matchAll(/^#?([A-Z][A-Z0-9_]*)=/gm)].map((match) => match[1]));
    const ofOlderSystems = ['SESSION_TTL', 'THREAD_TTL', 'RESPONSE_CACHE_TTL'];
    expect([...read].filter((name) => !offered.has(name))).toEqual([]);
    expect([...offered].filter((name) => !read.has(name))).toEqual(ofOlderSystems);
  });
  test('copied from .env.example are read the same by docker compose: it takes what stands behind an empty value', () => {
    const example = readFileSync(join(readConfig({}, []).root, '.env.example'), 'utf8');
    expect(example.match(/^[A-Z][A-Z0-9_]*=[ \t]+.*$/gm)).toBeNull();
  });
});
