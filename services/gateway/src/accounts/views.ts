import type { ProfileView, UserView } from '@sidestage/contracts';
import type { UserRow } from '@sidestage/store';

export function toUserView(user: UserRow): UserView {
  return {
    id: user.id,
    email: user.email,
    display_name: user.display_name,
    role: user.role,
    tier: user.tier,
  };
}

export function toProfileView(user: UserRow): ProfileView {
  return {
    ...toUserView(user),
    locale: user.locale,
    tenant_id: user.tenant_id,
    guest: user.email === null,
    created_at: user.created_at.toISOString(),
  };
}
