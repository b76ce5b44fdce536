import { createContext, use, useSyncExternalStore } from 'react';
import type { Gateway } from './api/gateway.js';
import type { Session, SessionStore } from './api/session.js';
import type { ConversationRegistry } from './chat/registry.js';
import type { Quota } from './model/quota.js';

export interface AppParts {
  gateway: Gateway;
  session: SessionStore;
  conversations: ConversationRegistry;
}

export const AppContext = createContext<AppParts | null>(null);

export function useApp(): AppParts {
  const parts = use(AppContext);
  if (!parts) throw new Error('useApp is used outside AppContext');
  return parts;
}

export function useSession(): Session | null {
  const { session } = useApp();
  return useSyncExternalStore(session.subscribe, () => session.current);
}

export function useQuotas(): Quota[] {
  const { quotas } = useApp().gateway;
  return useSyncExternalStore(quotas.subscribe, () => quotas.current);
}
