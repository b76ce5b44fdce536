import type { SourceView } from '@sidestage/contracts';

/** Cells of the bar. */
const cells = 24;
/** What was done in this long is taken for the pace, in milliseconds. */
const paceMs = 30_000;

/** A source under way, with what it weighs. */
export interface Weighed {
  bytes: number;
  source: Pick<SourceView, 'status' | 'progress' | 'passages'> | null;
}

/** 0 to 1, by bytes. */
export function shareDone(all: readonly Weighed[]): number {
  const total = all.reduce((sum, { bytes }) => sum + bytes, 0);
  const done = all.reduce((sum, { bytes, source }) => sum + bytes * shareOf(source), 0);
  return total === 0 ? 1 : done / total;
}

function shareOf(source: Weighed['source']): number {
  if (source === null) return 0;
  return source.status === 'ready' || source.status === 'failed' ? 1 : source.progress;
}

/** Tells how long the rest takes at the pace of the last half minute. */
export function makePace() {
  const seen: { at: number; share: number }[] = [];
  return (share: number, now: number): number | null => {
    seen.push({ at: now, share });
    while (seen.length > 2 && now - (seen[1]?.at ?? now) >= paceMs) seen.shift();
    const first = seen[0];
    if (!first || share <= first.share || now === first.at) return null;
    return ((1 - share) * (now - first.at)) / (share - first.share);
  };
}

/** `[██████░░░░] 62 %  31 of 50 ready, 2,410 passages, about 1 min 20 s to go` */
export function progressLine(all: readonly Weighed[], leftMs: number | null): string {
  const share = shareDone(all);
  const full = Math.floor(share * cells);
  const ready = all.filter(({ source }) => source?.status === 'ready').length;
  const passages = all.reduce((sum, { source }) => sum + (source?.status === 'ready' ? source.passages : 0), 0);
  const left = leftMs === null || share === 1 ? '' : `, about ${duration(leftMs)} to go`;
  const bar = '█'.repeat(full) + '░'.repeat(cells - full);
  return `[${bar}] ${Math.floor(share * 100)} %  ${ready} of ${all.length} ready, ${passages.toLocaleString('en')} passages${left}`;
}

export function duration(ms: number): string {
  const seconds = Math.max(1, Math.round(ms / 1000));
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  return minutes < 60 ? `${minutes} min ${seconds % 60} s` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}
