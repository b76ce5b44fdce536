import type { LimitState } from '@sidestage/contracts';
import type { Quota } from '../model/quota.js';

/** The last that was heard of each limit. */
export class QuotaStore {
  #quotas: Quota[] = [];
  #listeners = new Set<() => void>();

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
    for (const listener of this.#listeners) listener();
  }

  /** Another person's limits begin unknown. */
  clear(): void {
    this.#quotas = [];
    for (const listener of this.#listeners) listener();
  }
}
