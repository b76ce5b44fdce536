import { connect } from 'node:net';
import { LaunchError } from './launch-error.js';

const answerWithinMs = 3_000;

/** A server of the user's own, named by the environment. */
export interface OutsideServer {
  name: 'PostgreSQL' | 'Redis';
  url: string;
  /** The variables that name it. */
  variables: string;
  usualPort: number;
}

const hostOf = (server: OutsideServer): { host: string; port: number } => {
  const { hostname, port } = new URL(server.url);
  return { host: hostname.replace(/^\[|\]$/g, ''), port: Number(port || server.usualPort) };
};

/**
 * Gives host and port of a server that answers there.
 * @throws {LaunchError} that names the variable where nothing does.
 */
export async function checkReachable(server: OutsideServer): Promise<string> {
  const { host, port } = hostOf(server);
  try {
    await new Promise<void>((resolve, reject) => {
      const socket = connect({ host, port });
      socket.setTimeout(answerWithinMs, () => socket.destroy(new Error(`no answer within ${answerWithinMs / 1000} s`)));
      socket.once('error', reject);
      socket.once('connect', () => {
        socket.destroy();
        resolve();
      });
    });
  } catch (error) {
    throw new LaunchError(
      `${server.name} cannot be reached`,
      `${server.variables} names ${host}:${port}: ${error instanceof Error ? error.message : String(error)}`,
      `start it there, or unset ${server.variables}: npm start then runs one of its own`,
    );
  }
  return `${host}:${port}`;
}

/** What a server of the user's own says when it does not let us in. */
export function refusedBy(server: OutsideServer, error: unknown): unknown {
  // PostgreSQL's error codes: https://www.postgresql.org/docs/current/errcodes-appendix.html (28 authorisation, 3D no such database, 42501)
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  if (!/^(28|3D)|^42501$/.test(code)) return error;
  return new LaunchError(
    `${server.name} refuses`,
    `${(error as Error).message} (${server.variables})`,
    code === '42501'
      ? 'the user must own the database and may create roles: ALTER ROLE ... CREATEROLE'
      : `correct ${server.variables}, or create what it names`,
  );
}
