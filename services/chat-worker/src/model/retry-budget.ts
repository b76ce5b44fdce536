/** Retries a quiet worker has in hand. */
const reserve = 5;
const ceiling = 20;
/** Each call earns this share of a retry. */
const share = 0.1;

/** Keeps retries at most 10 % of calls, so that a provider in trouble is not given twice the work. One budget a provider and process. */
export class RetryBudget {
  #left = reserve;

  called(): void {
    this.#left = Math.min(ceiling, this.#left + share);
  }

  /** Whether one more retry fits; takes it. */
  spend(): boolean {
    if (this.#left < 1) return false;
    this.#left -= 1;
    return true;
  }
}
