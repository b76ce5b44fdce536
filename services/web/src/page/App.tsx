import { useQueryClient } from '@tanstack/react-query';
import { lazy, Suspense, useEffect, useRef } from 'react';
import { Redirect, Route, Switch, useLocation } from 'wouter';
import { useApp } from './appContext.js';
import { HomePage } from './home/HomePage.js';
import { useUserId } from './hooks.js';
import { Shell } from './shell/Shell.js';
import { NotFound } from './ui/NoticePage.js';
import { Waiting } from './ui/Waiting.js';

const fetchChatPage = () => import('./chat/ChatPage.js');
const ChatPage = lazy(fetchChatPage);
const WatchPage = lazy(() => import('./source/WatchPage.js'));

export function App() {
  useForgetOnNewPerson();
  useFetchChatAhead();
  return (
    <Shell>
      <Suspense fallback={<Waiting>Opening</Waiting>}>
        <Switch>
          <Route path="/" component={HomePage} />
          <Route path="/c/:creator/:id?">
            {({ creator, id }) => <ChatPage creator={decodeURIComponent(creator)} id={id ?? null} />}
          </Route>
          <Route path="/watch/:id">{({ id }) => <WatchPage id={id} />}</Route>
          <Route path="/chatbot">
            <Redirect to="/" replace />
          </Route>
          <Route>
            <NotFound />
          </Route>
        </Switch>
      </Suspense>
    </Shell>
  );
}

/** What one person asked must not stay on the page for the next. A guest who registers stays the same person. */
function useForgetOnNewPerson(): void {
  const { gateway } = useApp();
  const queries = useQueryClient();
  const userId = useUserId();
  const before = useRef(userId);
  const [, navigate] = useLocation();
  useEffect(() => {
    const was = before.current;
    before.current = userId;
    if (was === userId) return;
    void queries.invalidateQueries({ queryKey: ['conversations'] });
    if (was === null) return;
    gateway.quotas.clear();
    if (userId === null) {
      queries.removeQueries({ queryKey: ['conversations'] });
      navigate('/');
    }
  }, [userId, gateway, queries, navigate]);
}

/** Whoever moves towards something will press a creator or a question: their page is fetched meanwhile, and not before. */
function useFetchChatAhead(): void {
  useEffect(() => {
    const intent = new AbortController();
    const fetchAhead = () => {
      intent.abort();
      // Whoever needs it asks again.
      fetchChatPage().catch(() => undefined);
    };
    for (const sign of ['pointermove', 'pointerdown', 'focusin']) {
      document.addEventListener(sign, fetchAhead, { signal: intent.signal, passive: true });
    }
    return () => intent.abort();
  }, []);
}
