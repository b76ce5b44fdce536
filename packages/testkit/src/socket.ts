import { WebSocket } from 'ws';
import { waitFor } from './wait-for.js';

export type SocketMessage = Record<string, unknown> & { type?: unknown };

/** A WebSocket client that remembers everything it was sent. */
export interface TestSocket {
  readonly raw: WebSocket;
  /** Everything received, oldest first. */
  readonly messages: readonly SocketMessage[];
  /** The close code and reason, once closed. */
  readonly closed: { code: number; reason: string } | undefined;
  send(message: unknown): void;
  /** The first message not yet taken that fits, waiting for it; earlier ones that do not fit are passed over and stay in `messages`. */
  next(fits: string | ((message: SocketMessage) => boolean), timeoutMs?: number): Promise<SocketMessage>;
  waitClosed(timeoutMs?: number): Promise<{ code: number; reason: string }>;
  /** Closes it in order. */
  close(): Promise<void>;
}

export interface OpenSocketOptions {
  /** Goes as the subprotocols `sidestage, bearer.<token>`. */
  token?: string;
  headers?: Record<string, string>;
  /** Answers pings (default true). */
  autoPong?: boolean;
}

/**
 * Opens a socket; `url` may begin with http or ws.
 * @throws with the HTTP status in the message when the upgrade is refused.
 */
export async function openSocket(url: string, options: OpenSocketOptions = {}): Promise<TestSocket> {
  const protocols = options.token ? ['sidestage', `bearer.${options.token}`] : ['sidestage'];
  const raw = new WebSocket(url.replace(/^http/, 'ws'), protocols, {
    headers: options.headers,
    autoPong: options.autoPong ?? true,
  });
  const messages: SocketMessage[] = [];
  let closed: { code: number; reason: string } | undefined;
  let taken = 0;
  raw.on('message', (data) => messages.push(JSON.parse(String(data)) as SocketMessage));
  raw.on('close', (code, reason) => {
    closed = { code, reason: reason.toString('utf8') };
  });
  await new Promise<void>((resolve, reject) => {
    raw.once('open', resolve);
    raw.once('error', reject);
    raw.once('unexpected-response', (_, response) => {
      raw.terminate();
      reject(new Error(`the upgrade was refused with ${response.statusCode}`));
    });
  });
  raw.on('error', () => undefined);

  const waitClosed = (timeoutMs = 10_000): Promise<{ code: number; reason: string }> =>
    waitFor(() => closed, { timeoutMs, everyMs: 5, what: 'the socket to be closed' });
  return {
    raw,
    messages,
    get closed() {
      return closed;
    },
    send: (message) => raw.send(typeof message === 'string' ? message : JSON.stringify(message)),
    async next(fits, timeoutMs = 10_000) {
      const matches = typeof fits === 'string' ? (message: SocketMessage) => message.type === fits : fits;
      const what = (): string =>
        `a message ${typeof fits === 'string' ? fits : 'that fits'}; had ${JSON.stringify(messages.slice(taken)).slice(0, 800)}`;
      return waitFor(
        () => {
          const index = messages.findIndex((message, at) => at >= taken && matches(message));
          if (index < 0) return undefined;
          taken = index + 1;
          return messages[index];
        },
        { timeoutMs, everyMs: 5, what },
      );
    },
    waitClosed,
    async close() {
      if (closed) return;
      raw.close(1000);
      await waitClosed();
    },
  };
}
