type Listen = (type: 'online' | 'offline', listener: () => void) => void;

/**
 * Tells when the device's network comes and goes, where the platform knows; elsewhere nothing is ever told.
 * @returns ends it
 */
export function watchNetwork(onOnline: () => void, onOffline: () => void): () => void {
  const { addEventListener, removeEventListener } = globalThis as {
    addEventListener?: Listen;
    removeEventListener?: Listen;
  };
  if (!addEventListener || !removeEventListener) return () => undefined;
  addEventListener.call(globalThis, 'online', onOnline);
  addEventListener.call(globalThis, 'offline', onOffline);
  return () => {
    removeEventListener.call(globalThis, 'online', onOnline);
    removeEventListener.call(globalThis, 'offline', onOffline);
  };
}
