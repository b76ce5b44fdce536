import type { LimitState } from '@sidestage/contracts';

/**
 * What `RateLimit-Policy` and `RateLimit` (draft-ietf-httpapi-ratelimit-headers) say together: `"minute";q=10;w=60` and `"minute";r=9;t=42`.
 * Lines that only one of them has are left out.
 */
export function parseRateLimit(policy: string | null, limits: string | null): LimitState[] {
  if (!policy || !limits) return [];
  const policies = parseList(policy);
  return [...parseList(limits)].flatMap(([name, values]) => {
    const limit = policies.get(name)?.get('q');
    const remaining = values.get('r');
    if (limit === undefined || remaining === undefined) return [];
    return [{ policy: name, limit, remaining, reset_seconds: values.get('t') ?? 0 }];
  });
}

function parseList(header: string): Map<string, Map<string, number>> {
  const list = new Map<string, Map<string, number>>();
  for (const part of header.split(',')) {
    const [name = '', ...parameters] = part.split(';').map((piece) => piece.trim());
    const values = new Map<string, number>();
    for (const parameter of parameters) {
      const [key = '', value = ''] = parameter.split('=');
      if (Number.isFinite(Number(value))) values.set(key, Number(value));
    }
    list.set(name.replace(/^"|"$/g, ''), values);
  }
  return list;
}
