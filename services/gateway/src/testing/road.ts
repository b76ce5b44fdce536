/** Where clients of several gateways send what they have: to those that say they are ready, as a load balancer does. */
export interface Road {
  /** A ready gateway's address, another one each time; any where none says it is ready. */
  pick(): string;
  close(): void;
}

/** Asks each gateway's readiness every `everyMs`; one that cannot be asked is not ready. */
export function openRoad(addresses: readonly string[], everyMs = 250): Road {
  const ready = new Set(addresses);
  let turn = 0;
  async function look(address: string): Promise<void> {
    const answer = await fetch(`${address}/health/ready`, { signal: AbortSignal.timeout(1_000) }).catch(() => null);
    await answer?.body?.cancel();
    if (answer?.ok) ready.add(address);
    else ready.delete(address);
  }
  const timer = setInterval(() => addresses.forEach((address) => void look(address)), everyMs);
  return {
    pick() {
      const open = ready.size > 0 ? [...ready] : addresses;
      turn += 1;
      return open[turn % open.length] ?? '';
    },
    close: () => clearInterval(timer),
  };
}
