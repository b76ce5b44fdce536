/** Things under the heading of their day, newest first: Today, Yesterday, a weekday, then dates. */
export function groupByDay<T>(items: T[], timeOf: (item: T) => number, nowMs: number): { day: string; items: T[] }[] {
  const groups: { day: string; items: T[] }[] = [];
  for (const item of [...items].sort((a, b) => timeOf(b) - timeOf(a))) {
    const day = dayName(timeOf(item), nowMs);
    const last = groups.at(-1);
    if (last?.day === day) last.items.push(item);
    else groups.push({ day, items: [item] });
  }
  return groups;
}

function dayName(timeMs: number, nowMs: number): string {
  const days = Math.round((midnight(nowMs) - midnight(timeMs)) / 86_400_000);
  if (days <= 0) return 'Today';
  if (days === 1) return 'Yesterday';
  const date = new Date(timeMs);
  if (days < 7) return date.toLocaleDateString('en', { weekday: 'long' });
  const sameYear = date.getFullYear() === new Date(nowMs).getFullYear();
  return date.toLocaleDateString('en', { day: 'numeric', month: 'long', ...(!sameYear && { year: 'numeric' }) });
}

function midnight(timeMs: number): number {
  return new Date(timeMs).setHours(0, 0, 0, 0);
}

/** `1st`, `2nd`, `14th`. */
export function ordinal(value: number): string {
  const rule = new Intl.PluralRules('en', { type: 'ordinal' }).select(value);
  return `${value}${{ one: 'st', two: 'nd', few: 'rd', other: 'th', zero: 'th', many: 'th' }[rule]}`;
}

/** `about 20 seconds`, `about 3 minutes`; said in steps a person would use. */
export function aboutHowLong(etaMs: number): string {
  const seconds = Math.max(1, Math.round(etaMs / 1000));
  if (seconds < 10) return `about ${seconds} second${seconds === 1 ? '' : 's'}`;
  if (seconds < 90) return `about ${Math.round(seconds / 5) * 5} seconds`;
  return `about ${Math.round(seconds / 60)} minutes`;
}
