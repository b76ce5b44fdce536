import type { LimitState } from '@sidestage/contracts';

export interface Quota extends LimitState {
  /** When `remaining` was true. */
  toldAtMs: number;
}

/** Only the fan's own windows are shown: a tenant's or an address's limit says nothing to a person. */
export function windowName(policy: string): 'minute' | 'hour' | 'in_flight' | null {
  if (/tenant|address|anon|auth/.test(policy)) return null;
  if (/minute/.test(policy)) return 'minute';
  if (/hour/.test(policy)) return 'hour';
  return /flight/.test(policy) ? 'in_flight' : null;
}

/** The window with the smallest share left, with windows that have been refilled since taken as full. */
export function tightest(quotas: Quota[], nowMs: number): Quota | null {
  const own = quotas.filter((quota) => ['minute', 'hour'].includes(windowName(quota.policy) ?? ''));
  const now = own.map((quota) =>
    secondsLeft(quota.toldAtMs + quota.reset_seconds * 1000, nowMs) > 0 ? quota : { ...quota, remaining: quota.limit },
  );
  return now.sort((a, b) => a.remaining / a.limit - b.remaining / b.limit)[0] ?? null;
}

/** Whole seconds until `untilMs`, rounded up, never below 0. */
export function secondsLeft(untilMs: number, nowMs: number): number {
  return Math.max(0, Math.ceil((untilMs - nowMs) / 1000));
}

/** `00:23`, `12:07`, `1:02:03`. */
export function clock(totalSeconds: number): string {
  const seconds = Math.max(0, Math.floor(totalSeconds));
  const pad = (value: number) => String(value).padStart(2, '0');
  const hours = Math.floor(seconds / 3600);
  const minutes = Math.floor((seconds % 3600) / 60);
  return hours > 0 ? `${hours}:${pad(minutes)}:${pad(seconds % 60)}` : `${pad(minutes)}:${pad(seconds % 60)}`;
}

/** A second of a source as a mark shows it: `12:07`, `0:42`, `1:02:03`. */
export function moment(totalSeconds: number): string {
  return clock(totalSeconds).replace(/^0(\d:)/, '$1');
}
