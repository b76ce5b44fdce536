import type { IncomingMessage } from 'node:http';

/** The address a request comes from: the peer's, or what the last `hops` trusted proxies say in X-Forwarded-For. */
export function clientAddress(request: IncomingMessage, hops: number): string {
  const peer = request.socket.remoteAddress ?? 'unknown';
  if (hops === 0) return peer;
  const forwarded = String(request.headers['x-forwarded-for'] ?? '')
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '');
  return [...forwarded, peer].at(-1 - hops) ?? forwarded[0] ?? peer;
}
