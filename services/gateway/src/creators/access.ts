import type { CreatorRow, CreatorViewer } from '@sidestage/store';
import type { Principal } from '../auth/principal.js';

type Owned = Pick<CreatorRow, 'owner_id' | 'public'>;

/** Changes, feeds and deletes it: its owner, an integrator of the tenant, an operator. */
export function canManage(principal: Principal | null, creator: Owned): boolean {
  if (!principal) return false;
  if (principal.role === 'integrator' || principal.role === 'operator') return true;
  return creator.owner_id !== null && creator.owner_id === principal.userId;
}

/** Sees it and chats with it. To others a private creator does not exist. */
export function canSee(principal: Principal | null, creator: Owned): boolean {
  return creator.public || canManage(principal, creator);
}

/** Reads what fans say to it: its owner; of a creator that a key made, the integrators. */
export function ownsCreator(principal: Principal, ownerId: string | null): boolean {
  return ownerId === null ? principal.role === 'integrator' : ownerId === principal.userId;
}

/** What a list shows. */
export function viewerOf(principal: Principal | null): CreatorViewer {
  const all = principal?.role === 'integrator' || principal?.role === 'operator';
  return { all, userId: principal?.userId ?? null };
}
