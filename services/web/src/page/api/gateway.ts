import { isRecord, parseRateLimit, SidestageError, toProblem, unreachable } from '@sidestage/client';
import type { ConversationView, CreatorView, HistoryMessage, Page, Segment, SourceView } from '@sidestage/contracts';

import type { QuotaStore } from './quotaStore.js';
import type { SessionStore } from './session.js';

export interface Transcript {
  title: string;
  segments: Segment[];
}

interface CallOptions {
  body?: object;
  /** `always` makes a guest of somebody who is not here yet; `if-any` reads without a credential then. */
  credential?: 'always' | 'if-any';
  headers?: Record<string, string>;
  signal?: AbortSignal;
}

/** The gateway's routes this page uses. Refusals are thrown as SidestageError. */
export class Gateway {
  constructor(
    readonly url: string,
    readonly session: SessionStore,
    readonly quotas: QuotaStore,
  ) {}

  /** The raw answer of a successful call; the access token is renewed once when it turns out to have ended. */
  async call(method: string, path: string, options: CallOptions = {}): Promise<Response> {
    const { credential = 'always' } = options;
    let token = credential === 'always' ? await this.session.token() : await this.#anyToken();
    for (let attempt = 0; ; attempt += 1) {
      const response = await this.#fetch(method, path, token, options);
      if (response.ok) return response;
      const body: unknown = await response.json().catch(() => null);
      const problem = toProblem(body, response.status, response.headers.get('Retry-After'));
      if (response.status !== 401 || attempt > 0 || token === null) throw new SidestageError(problem);
      token = await this.session.refresh(token);
    }
  }

  /** A session that has ended must not keep a public page from being read. */
  async #anyToken(): Promise<string | null> {
    return this.session.tokenIfAny().catch(() => null);
  }

  async #fetch(method: string, path: string, token: string | null, options: CallOptions): Promise<Response> {
    const { body, headers, signal } = options;
    try {
      const response = await fetch(`${this.url}${path}`, {
        method,
        signal,
        headers: {
          ...(token && { Authorization: `Bearer ${token}` }),
          ...(body && { 'Content-Type': 'application/json' }),
          ...headers,
        },
        body: body && JSON.stringify(body),
      });
      this.quotas.tell(parseRateLimit(response.headers.get('RateLimit-Policy'), response.headers.get('RateLimit')));
      return response;
    } catch (error) {
      if (signal?.aborted) throw error;
      throw new SidestageError(unreachable);
    }
  }

  async #read(path: string, credential: 'always' | 'if-any', signal?: AbortSignal): Promise<unknown> {
    const answer: unknown = await (await this.call('GET', path, { credential, signal })).json().catch(() => null);
    if (!isRecord(answer)) throw new SidestageError(toProblem(null, 502));
    return answer;
  }

  async creators(signal?: AbortSignal): Promise<CreatorView[]> {
    return ((await this.#read('/api/v1/creators?limit=100', 'if-any', signal)) as Page<CreatorView>).items;
  }

  /** @param idOrSlug as it stands in the page's address */
  async creator(idOrSlug: string, signal?: AbortSignal): Promise<CreatorView> {
    return (await this.#read(`/api/v1/creators/${encodeURIComponent(idOrSlug)}`, 'if-any', signal)) as CreatorView;
  }

  async conversations(cursor: string | null, signal?: AbortSignal): Promise<Page<ConversationView>> {
    const query = cursor ? `&cursor=${encodeURIComponent(cursor)}` : '';
    return (await this.#read(`/api/v1/conversations?limit=50${query}`, 'always', signal)) as Page<ConversationView>;
  }

  async conversation(id: string, signal?: AbortSignal): Promise<ConversationView> {
    return (await this.#read(`/api/v1/conversations/${encodeURIComponent(id)}`, 'always', signal)) as ConversationView;
  }

  /** A page of lines, the newest page first, each page oldest line first; `next_cursor` leads to the page before. */
  async messages(conversationId: string, cursor: string | null): Promise<Page<HistoryMessage>> {
    const query = cursor ? `&cursor=${encodeURIComponent(cursor)}` : '';
    const path = `/api/v1/conversations/${encodeURIComponent(conversationId)}/messages?order=newest&limit=60${query}`;
    return (await this.#read(path, 'always')) as Page<HistoryMessage>;
  }

  async deleteConversation(id: string): Promise<void> {
    await this.call('DELETE', `/api/v1/conversations/${encodeURIComponent(id)}`);
  }

  async deleteAccount(): Promise<void> {
    await this.call('DELETE', '/api/v1/me');
    this.session.drop();
  }

  async rate(messageId: string, rating: 'up' | 'down'): Promise<void> {
    await this.call('PUT', `/api/v1/messages/${encodeURIComponent(messageId)}/feedback`, { body: { rating } });
  }

  async source(id: string, signal?: AbortSignal): Promise<SourceView> {
    return (await this.#read(`/api/v1/sources/${encodeURIComponent(id)}`, 'if-any', signal)) as SourceView;
  }

  async transcript(sourceId: string, signal?: AbortSignal): Promise<Transcript> {
    const path = `/api/v1/sources/${encodeURIComponent(sourceId)}/transcript`;
    return (await this.#read(path, 'if-any', signal)) as Transcript;
  }
}
