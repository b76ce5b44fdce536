import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import type { Fault } from './fault.js';
import { interrupt } from './interrupt.js';

/** Backends of the fleet: those of the superuser who looks on are not among them. */
const victims = `SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND usename <> 'postgres'
  AND backend_type = 'client backend' ORDER BY random() LIMIT $1`;

export const postgresBackends: Fault = {
  name: 'postgres-backends',
  what: 'ten backends terminated, busy ones among them',
  share: 10,
  async strike({ stage, crowd }) {
    const hit = crowd.open;
    await stage.postgres.query(`SELECT pg_terminate_backend(pid) FROM (${victims}) v`, [10]);
    await sleep(500);
    return { hit };
  },
};

export const postgresStop: Fault = {
  name: 'postgres-stop',
  what: 'Postgres stopped for 20 s',
  share: 1,
  outage: true,
  strike: (scene) =>
    interrupt(scene, async () => {
      await scene.stage.postgres.stop();
      await sleep(20_000);
      await scene.stage.postgres.start();
    }),
};

export const postgresKill: Fault = {
  name: 'postgres-kill',
  what: 'SIGKILL of Postgres, started again at once: it recovers',
  share: 1,
  outage: true,
  strike: (scene) =>
    interrupt(scene, async () => {
      await scene.stage.postgres.kill();
      await scene.stage.postgres.start();
    }),
};

export const postgresLock: Fault = {
  name: 'postgres-lock',
  what: 'the table of turns locked for 4 s',
  share: 1,
  outage: true,
  strike: (scene) =>
    interrupt(scene, async () => {
      const client = new pg.Client({ connectionString: scene.stage.postgres.adminUrl });
      client.on('error', () => undefined);
      await client.connect();
      try {
        await client.query('BEGIN');
        await client.query('LOCK TABLE turns IN ACCESS EXCLUSIVE MODE');
        await sleep(4_000);
        await client.query('ROLLBACK');
      } finally {
        await client.end();
      }
    }),
};

export const postgresSlow: Fault = {
  name: 'postgres-slow',
  what: 'a slow disk: every answer of Postgres comes 150 ms later, for 5 s',
  share: 1,
  outage: true,
  network: true,
  strike: (scene) =>
    interrupt(scene, async () => {
      const { edges } = scene.stage;
      const slow = ['gateway-postgres', 'chat-worker-postgres'];
      await Promise.all(slow.map((name) => edges.act(name, { do: 'delay', ms: 75 })));
      await sleep(5_000);
      await Promise.all(slow.map((name) => edges.act(name, { do: 'heal' })));
    }),
};
