import type { CreatorView } from '@sidestage/contracts';
import { useInfiniteQuery } from '@tanstack/react-query';
import { Link } from 'wouter';
import { useApp } from '../appContext.js';
import { useNow, useUserId } from '../hooks.js';
import { groupByDay } from '../model/days.js';
import { accentStyle } from '../ui/Avatar.js';

interface HistoryListProps {
  creators: CreatorView[];
  openId: string | null;
}

/** The fan's own conversations under their days. */
export function HistoryList({ creators, openId }: HistoryListProps) {
  const { gateway } = useApp();
  const userId = useUserId();
  const now = useNow(60_000);
  const { data, hasNextPage, fetchNextPage, isFetchingNextPage } = useInfiniteQuery({
    queryKey: ['conversations', userId],
    queryFn: ({ pageParam, signal }) => gateway.conversations(pageParam, signal),
    initialPageParam: null as string | null,
    getNextPageParam: (page) => page.next_cursor,
    enabled: userId !== null,
  });
  const conversations = data?.pages.flatMap((page) => page.items) ?? [];
  if (userId === null || conversations.length === 0) return null;
  const slugOf = (creatorId: string) => creators.find((creator) => creator.id === creatorId)?.slug ?? creatorId;
  return (
    <>
      {groupByDay(conversations, (item) => Date.parse(item.last_message_at), now).map(({ day, items }) => (
        <section key={day}>
          <h2 className="column-title">{day}</h2>
          <ul>
            {items.map((item) => (
              <li key={item.id}>
                <Link
                  className="column-row"
                  href={`/c/${slugOf(item.creator_id)}/${item.id}`}
                  aria-current={item.id === openId ? 'page' : undefined}
                >
                  <span className="row-dot accented" style={accentStyle(slugOf(item.creator_id))} aria-hidden="true" />
                  <span className="row-words">{item.title}</span>
                </Link>
              </li>
            ))}
          </ul>
        </section>
      ))}
      {hasNextPage && (
        <button
          type="button"
          className="column-row column-more"
          disabled={isFetchingNextPage}
          onClick={() => void fetchNextPage()}
        >
          {isFetchingNextPage ? 'Fetching' : 'Earlier'}
        </button>
      )}
    </>
  );
}
