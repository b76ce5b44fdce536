import { isRecord, SidestageError, toProblem, unreachable } from '@sidestage/client';
import type { SessionView, UserView } from '@sidestage/contracts';

/** Who is here, as kept in the browser. */
export interface Session {
  accessToken: string;
  refreshToken: string;
  /** By this browser's clock. */
  expiresAtMs: number;
  user: UserView;
}

/** The parts of a browser that a session needs; handed in so that they can be exchanged in tests. */
export interface SessionParts {
  gatewayUrl: string;
  fetch: typeof fetch;
  storage: Pick<Storage, 'getItem' | 'setItem' | 'removeItem'>;
  /** Runs `work` while no other tab runs its own. */
  exclusively: <T>(work: () => Promise<T>) => Promise<T>;
  nowMs: () => number;
}

const storageKey = 'sidestage.session';
/** Tokens are exchanged this long before they end. */
const marginMs = 60_000;

/**
 * The session of this browser. Refresh tokens rotate and a second use of one ends the session, so only one tab refreshes at a time, and
 * each looks first whether another has done so already.
 */
export class SessionStore {
  #current: Session | null;
  #listeners = new Set<() => void>();
  #refreshing: Promise<string> | null = null;
  #opening: Promise<Session> | null = null;
  /** The last session ended on its own and not by signing out. */
  ended = false;

  constructor(private readonly parts: SessionParts) {
    this.#current = this.#read();
  }

  get current(): Session | null {
    return this.#current;
  }

  subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  /** Another tab wrote the session. */
  reload(): void {
    this.#current = this.#read();
    this.#tell();
  }

  /** An access token good for at least the margin; a guest is made when nobody is here. */
  async token(): Promise<string> {
    const session = this.#current ?? (await this.guest());
    return isFresh(session, this.parts.nowMs()) ? session.accessToken : this.refresh(session.accessToken);
  }

  /** As `token`, but null for somebody who is not here yet. */
  async tokenIfAny(): Promise<string | null> {
    return this.#current ? this.token() : null;
  }

  /** One guest, however many presses ask for one. */
  guest(): Promise<Session> {
    this.#opening ??= this.parts
      .exclusively(async () => {
        const other = this.#read();
        if (other) return this.#keep(other, false);
        return this.#keep(await this.#post('guest', {}));
      })
      .finally(() => {
        this.#opening = null;
      });
    return this.#opening;
  }

  /** Exchanges the refresh token, unless `usedToken` has been replaced meanwhile by this tab or another. */
  refresh(usedToken: string): Promise<string> {
    this.#refreshing ??= this.parts
      .exclusively(() => this.#exchange(usedToken))
      .finally(() => {
        this.#refreshing = null;
      });
    return this.#refreshing;
  }

  async #exchange(usedToken: string): Promise<string> {
    const stored = this.#read();
    if (stored && stored.accessToken !== usedToken && isFresh(stored, this.parts.nowMs())) {
      return this.#keep(stored, false).accessToken;
    }
    const session = stored ?? this.#current;
    if (!session) return (await this.#keep(await this.#post('guest', {}))).accessToken;
    try {
      return this.#keep(await this.#post('refresh', { refresh_token: session.refreshToken })).accessToken;
    } catch (error) {
      if (error instanceof SidestageError && error.problem.status === 401) {
        this.#forget();
        this.ended = true;
        this.#tell();
      }
      throw error;
    }
  }

  /** A new account; a guest's becomes it and keeps its conversations. */
  async register(fields: { email: string; password: string; display_name?: string }): Promise<void> {
    const guest = this.#current && isGuest(this.#current.user) ? await this.token() : null;
    this.#keep(await this.#post('register', fields, guest));
  }

  /** Signs in; what a guest said here moves to the account. */
  async login(fields: { email: string; password: string }): Promise<void> {
    const guest = this.#current && isGuest(this.#current.user) ? this.#current.refreshToken : undefined;
    this.#keep(await this.#post('login', { ...fields, ...(guest && { guest_refresh_token: guest }) }));
  }

  /** Forgets the session here at once; the server is told as far as it can be reached. */
  async logout(): Promise<void> {
    const session = this.#current;
    this.#forget();
    this.#tell();
    if (session) await this.#post('logout', { refresh_token: session.refreshToken }).catch(() => undefined);
  }

  /** The account is gone on the server. */
  drop(): void {
    this.#forget();
    this.#tell();
  }

  async #post(route: string, body: object, bearer: string | null = null): Promise<unknown> {
    let response: Response;
    try {
      response = await this.parts.fetch(`${this.parts.gatewayUrl}/api/v1/auth/${route}`, {
        method: 'POST',
        headers: { 'Content-Type': 'application/json', ...(bearer && { Authorization: `Bearer ${bearer}` }) },
        body: JSON.stringify(body),
      });
    } catch {
      throw new SidestageError(unreachable);
    }
    const answer: unknown = response.status === 204 ? null : await response.json().catch(() => null);
    if (!response.ok) throw new SidestageError(toProblem(answer, response.status, response.headers.get('Retry-After')));
    return answer;
  }

  #keep(answer: unknown, write = true): Session {
    const session = write ? sessionOf(answer, this.parts.nowMs()) : (answer as Session);
    this.#current = session;
    this.ended = false;
    if (write) {
      try {
        this.parts.storage.setItem(storageKey, JSON.stringify(session));
      } catch {
        // Full or refused storage: the session lives as long as this tab.
      }
    }
    this.#tell();
    return session;
  }

  #forget(): void {
    this.#current = null;
    try {
      this.parts.storage.removeItem(storageKey);
    } catch {
      // Nothing was stored then.
    }
  }

  #read(): Session | null {
    try {
      const stored: unknown = JSON.parse(this.parts.storage.getItem(storageKey) ?? 'null');
      return isSession(stored) ? stored : null;
    } catch {
      return this.#current ?? null;
    }
  }

  #tell(): void {
    for (const listener of this.#listeners) listener();
  }
}

/** A guest has no e-mail. */
export function isGuest(user: UserView): boolean {
  return user.email === null || user.email === undefined;
}

export function isFresh(session: Session, nowMs: number): boolean {
  return session.expiresAtMs - nowMs > marginMs;
}

function isSession(value: unknown): value is Session {
  return (
    isRecord(value) &&
    typeof value.accessToken === 'string' &&
    typeof value.refreshToken === 'string' &&
    typeof value.expiresAtMs === 'number' &&
    isRecord(value.user)
  );
}

function sessionOf(answer: unknown, nowMs: number): Session {
  if (!isRecord(answer) || typeof answer.access_token !== 'string' || !isRecord(answer.user)) {
    throw new SidestageError(unreachable);
  }
  const view = answer as unknown as SessionView;
  return {
    accessToken: view.access_token,
    refreshToken: view.refresh_token,
    expiresAtMs: nowMs + view.expires_in * 1000,
    user: view.user,
  };
}

/** Web Locks where the page may use them (https and localhost); elsewhere tabs take turns through a lease in storage. */
export function makeExclusively(name: string): SessionParts['exclusively'] {
  if (navigator.locks) return (work) => navigator.locks.request(name, work) as ReturnType<typeof work>;
  return async (work) => {
    const key = `${name}.lease`;
    const mine = Math.random().toString(36);
    const leaseMs = 10_000;
    for (;;) {
      const [owner, until] = (localStorage.getItem(key) ?? '').split(' ');
      if (owner === mine) break;
      if (!until || Number(until) < Date.now()) localStorage.setItem(key, `${mine} ${Date.now() + leaseMs}`);
      await new Promise((resolve) => setTimeout(resolve, 40));
    }
    try {
      return await work();
    } finally {
      if (localStorage.getItem(key)?.startsWith(mine)) localStorage.removeItem(key);
    }
  };
}
