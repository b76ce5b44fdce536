import { isRecord } from '@sidestage/client';
import type { LimitState } from '@sidestage/contracts';
import type { Quota } from '../model/quota.js';

const storageKey = 'sidestage.quotas';

/** The last that was heard of each limit; a reload of the page does not forget it. */
export class QuotaStore {
  #quotas: Quota[];
  #listeners = new Set<() => void>();

  constructor(private readonly storage: Pick<Storage, 'getItem' | 'setItem' | 'removeItem'>) {
    this.#quotas = read(storage.getItem(storageKey));
  }

  get current(): Quota[] {
    return this.#quotas;
  }

  subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  tell(limits: LimitState[]): void {
    if (limits.length === 0) return;
    const told = limits.map((limit) => ({ ...limit, toldAtMs: Date.now() }));
    const names = new Set(told.map((quota) => quota.policy));
    this.#quotas = [...this.#quotas.filter((quota) => !names.has(quota.policy)), ...told];
    this.storage.setItem(storageKey, JSON.stringify(this.#quotas));
    for (const listener of this.#listeners) listener();
  }

  /** Another person's limits begin unknown. */
  clear(): void {
    this.#quotas = [];
    this.storage.removeItem(storageKey);
    for (const listener of this.#listeners) listener();
  }
}

function read(stored: string | null): Quota[] {
  try {
    const quotas: unknown = JSON.parse(stored ?? '[]');
    return Array.isArray(quotas) ? quotas.filter(isQuota) : [];
  } catch {
    return [];
  }
}

function isQuota(value: unknown): value is Quota {
  if (!isRecord(value) || typeof value.policy !== 'string') return false;
  const numbers = [value.limit, value.remaining, value.reset_seconds, value.toldAtMs];
  return numbers.every((number) => typeof number === 'number');
}
