import { useQuery } from '@tanstack/react-query';
import { useEffect, useState, useSyncExternalStore } from 'react';
import { useApp, useSession } from './appContext.js';

/** The current time, told again every `everyMs` while `running`. */
export function useNow(everyMs: number, running = true): number {
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    if (!running) return;
    setNow(Date.now());
    const timer = setInterval(() => setNow(Date.now()), everyMs);
    return () => clearInterval(timer);
  }, [everyMs, running]);
  return now;
}

export function useMedia(query: string): boolean {
  return useSyncExternalStore(
    (listener) => {
      const list = matchMedia(query);
      list.addEventListener('change', listener);
      return () => list.removeEventListener('change', listener);
    },
    () => matchMedia(query).matches,
  );
}

/** Room for the source beside the conversation, and for the left column. */
export const wideQuery = '(min-width: 1100px)';

export function useCreators() {
  const { gateway } = useApp();
  return useQuery({ queryKey: ['creators'], queryFn: ({ signal }) => gateway.creators(signal), staleTime: 300_000 });
}

/** @param idOrSlug as it stands in the page's address */
export function useCreator(idOrSlug: string | null) {
  const { gateway } = useApp();
  const list = useCreators();
  const listed = list.data?.find((creator) => creator.slug === idOrSlug || creator.id === idOrSlug);
  const single = useQuery({
    queryKey: ['creator', idOrSlug],
    queryFn: ({ signal }) => gateway.creator(idOrSlug ?? '', signal),
    enabled: idOrSlug !== null && !listed && list.isSuccess,
    staleTime: 300_000,
  });
  return {
    creator: listed ?? single.data,
    isPending: !listed && !list.error && single.isPending,
    error: listed ? null : (list.error ?? single.error),
    retry: () => void (list.error ? list : single).refetch(),
  };
}

export function useSource(id: string) {
  const { gateway } = useApp();
  return useQuery({
    queryKey: ['source', id],
    queryFn: ({ signal }) => gateway.source(id, signal),
    staleTime: 600_000,
  });
}

export function useTranscript(id: string) {
  const { gateway } = useApp();
  return useQuery({
    queryKey: ['transcript', id],
    queryFn: ({ signal }) => gateway.transcript(id, signal),
    staleTime: 600_000,
  });
}

export function useUserId(): string | null {
  return useSession()?.user.id ?? null;
}

export function useTitle(title: string | undefined): void {
  useEffect(() => {
    document.title = title ? `${title} · Sidestage` : 'Sidestage';
  }, [title]);
}
