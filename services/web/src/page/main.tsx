import '@fontsource-variable/commissioner/wght.css';
import './styles/tokens.css';
import './styles/base.css';
import './styles/shell.css';
import './styles/home.css';
import './styles/chat.css';
import './styles/source.css';
import './styles/dialog.css';
import { makeSidestage, SidestageError } from '@sidestage/client';
import { QueryClient, QueryClientProvider } from '@tanstack/react-query';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { Router } from 'wouter';
import { App } from './App.js';
import { loadConfig } from './api/config.js';
import { Gateway } from './api/gateway.js';
import { QuotaStore } from './api/quotaStore.js';
import { makeExclusively, SessionStore } from './api/session.js';
import { AppContext } from './appContext.js';
import { ConversationRegistry } from './chat/registry.js';
import { Safeguard } from './ui/Safeguard.js';

const config = await loadConfig();
const session = new SessionStore({
  gatewayUrl: config.gatewayUrl,
  fetch: (input, init) => fetch(input, init),
  storage: localStorage,
  exclusively: makeExclusively('sidestage.refresh'),
  nowMs: Date.now,
});
window.addEventListener('storage', (event) => {
  if (event.key === 'sidestage.session' || event.key === null) session.reload();
});

const queries = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: 60_000,
      // A refusal will not change by asking again; a network or a server in trouble may.
      retry: (failures, error) =>
        failures < 3 && error instanceof SidestageError && (error.problem.status === 0 || error.problem.status >= 500),
    },
  },
});
const quotas = new QuotaStore(sessionStorage);
const gateway = new Gateway(config.gatewayUrl, session, quotas);
const sidestage = makeSidestage({
  url: config.gatewayUrl,
  credential: (refused) => (refused === null ? session.token() : session.refresh(refused)),
  // What a fan has written waits for as long as the page is open.
  giveUpMs: Number.POSITIVE_INFINITY,
  onRateLimit: (limits) => quotas.tell(limits),
});
const conversations = new ConversationRegistry(gateway, sidestage, () => {
  void queries.invalidateQueries({ queryKey: ['conversations'] });
});

const root = document.getElementById('root');
if (!root) throw new Error('index.html has no #root');
createRoot(root).render(
  <StrictMode>
    <QueryClientProvider client={queries}>
      <AppContext value={{ gateway, session, conversations }}>
        <Router>
          <Safeguard>
            <App />
          </Safeguard>
        </Router>
      </AppContext>
    </QueryClientProvider>
  </StrictMode>,
);
