import { types } from 'node:util';
import pg from 'pg';
import { sleep } from './backoff.js';
import type { Logger } from './logger.js';

export type PgPool = pg.Pool;
export type PgClient = pg.PoolClient;

/** api: request handlers, under row-level security. engine: accept, settle, sweep; its statements join on (tenant_id, id). */
export type DatabaseRole = 'sidestage_api' | 'sidestage_engine';

export interface PoolOptions {
  url: string;
  role: DatabaseRole;
  max: number;
  /** Connections opened at once and kept: a burst finds them ready. Default 2, never above `max`. */
  min?: number;
  idleMs: number;
  /** Longest wait for a free connection, in milliseconds. */
  waitMs: number;
  /** Longest statement; the server cancels it. Default 5,000 ms. */
  statementMs?: number;
  logger: Logger;
}

/** A pool whose connections run as `role` and never wait or run without a bound. */
export function makePool(options: PoolOptions): PgPool {
  const min = Math.min(options.min ?? 2, options.max);
  const pool = new pg.Pool({
    connectionString: options.url,
    max: options.max,
    min,
    idleTimeoutMillis: options.idleMs,
    connectionTimeoutMillis: options.waitMs,
    application_name: options.role,
    options: [
      `-c role=${options.role}`,
      `-c statement_timeout=${options.statementMs ?? 5000}`,
      '-c lock_timeout=2000',
      '-c idle_in_transaction_session_timeout=10000',
    ].join(' '),
  });
  // A backend that is terminated emits on the idle client (pool) or on the one in use (client): unheard, either ends the process.
  pool.on('error', (error) => options.logger.warn({ err: error, role: options.role }, 'idle postgres connection lost'));
  pool.on('connect', (client) => client.on('error', () => undefined));
  for (let opened = 0; opened < min; opened++) {
    // A server that is not there yet is the first query's to report.
    pool.connect().then(
      (client) => client.release(),
      () => undefined,
    );
  }
  return pool;
}

const retryableStates = new Set(['57P01', '57P02', '57P03', '40001', '40P01', '53300']);

/** Whether the statement certainly did not, or may not, have run and another try can succeed: connection lost, deadlock, serialisation, restart. */
export function isRetryable(error: unknown): boolean {
  // Not `instanceof`: the socket's errors may come from another realm (jest's workers).
  if (!types.isNativeError(error)) return false;
  const code = 'code' in error && typeof error.code === 'string' ? error.code : '';
  return (
    retryableStates.has(code) ||
    code.startsWith('08') ||
    ['ECONNREFUSED', 'ECONNRESET', 'EPIPE', 'ETIMEDOUT'].includes(code) ||
    /Connection terminated|timeout exceeded when trying to connect|Client has encountered a connection error/.test(
      error.message,
    )
  );
}

/** Cancelled as too slow, waited in vain for a lock, disk full, out of memory, read-only: nothing was written, and it may pass. */
const strainedStates = new Set(['57014', '55P03', '53100', '53200', '25006']);

/** Whether Postgres is away, full or too slow, so that the client should come back later. */
export function isUnavailable(error: unknown): boolean {
  if (isRetryable(error)) return true;
  return types.isNativeError(error) && 'code' in error && strainedStates.has(String(error.code));
}

/** Tries again after a lost connection or deadlock. `run` must be safe to repeat (fenced or idempotent). */
export async function withRetry<T>(
  run: () => Promise<T>,
  options: { attempts?: number; firstMs?: number; signal?: AbortSignal } = {},
): Promise<T> {
  const attempts = options.attempts ?? 4;
  for (let attempt = 1; ; attempt++) {
    try {
      return await run();
    } catch (error) {
      if (attempt >= attempts || !isRetryable(error)) throw error;
      await sleep((options.firstMs ?? 50) * 2 ** (attempt - 1) * (0.5 + Math.random()), options.signal);
    }
  }
}

/** Runs `work` in one transaction; rolls back on any error. A broken connection is thrown away, not returned to the pool. */
export async function inTransaction<T>(pool: PgPool, work: (client: PgClient) => Promise<T>): Promise<T> {
  const client = await pool.connect();
  let broken: Error | undefined;
  try {
    await client.query('BEGIN');
    const result = await work(client);
    await client.query('COMMIT');
    return result;
  } catch (error) {
    await client.query('ROLLBACK').catch((failure: Error) => {
      broken = failure;
    });
    throw error;
  } finally {
    client.release(broken);
  }
}
