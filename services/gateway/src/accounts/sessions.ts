import { ProblemError, type SessionView } from '@sidestage/contracts';
import {
  EmailTakenError,
  hashPassword,
  hashSecretToken,
  makeSecretToken,
  type RefreshTokenRepository,
  type UserRepository,
  type UserRow,
  verifyPassword,
} from '@sidestage/store';
import { type AccessTokens, accessTokenSeconds } from '../auth/access-tokens.js';
import type { Invalidations } from '../auth/invalidations.js';
import type { Principal } from '../auth/principal.js';
import { toUserView } from './views.js';

const dayMs = 86_400_000;
/** How long an unused refresh token of an account lasts. */
const refreshTokenMs = 30 * dayMs;
const guestMs = dayMs;

export interface Registration {
  email: string;
  password: string;
  display_name?: string;
  role: 'fan' | 'creator';
}

/** Signing up, in and out. */
export interface Sessions {
  /** With a guest as `asker` the guest becomes the account. Throws `conflict` when the e-mail address has an account. */
  register(tenantId: string, registration: Registration, asker: Principal | null): Promise<SessionView>;
  /** Throws `invalid_credentials`, in equal time whether or not the account exists. */
  login(tenantId: string, email: string, password: string, guestRefreshToken?: string): Promise<SessionView>;
  guest(tenantId: string): Promise<SessionView>;
  /** Throws `token_reused`, `token_expired` or `unauthenticated`. */
  refresh(refreshToken: string): Promise<SessionView>;
  /** Whether there was a login to end. */
  logout(refreshToken: string): Promise<boolean>;
}

export function makeSessions(options: {
  users: UserRepository;
  refreshTokens: RefreshTokenRepository;
  tokens: AccessTokens;
  invalidations: Invalidations;
}): Sessions {
  const { users, refreshTokens, tokens, invalidations } = options;

  function view(user: UserRow, sessionId: string, refreshToken: string): SessionView {
    const accessToken = tokens.sign({
      tenantId: user.tenant_id,
      userId: user.id,
      role: user.role,
      tier: user.tier,
      guest: user.email === null,
      sessionId,
    });
    return {
      access_token: accessToken,
      refresh_token: refreshToken,
      token_type: 'Bearer',
      expires_in: accessTokenSeconds,
      user: toUserView(user),
    };
  }

  async function open(user: UserRow): Promise<SessionView> {
    const refreshToken = makeSecretToken();
    const sessionId = await refreshTokens.begin({
      tenant_id: user.tenant_id,
      user_id: user.id,
      hash: hashSecretToken(refreshToken),
      expires_at: new Date(Date.now() + refreshTokenMs),
    });
    return view(user, sessionId, refreshToken);
  }

  async function upgrade(asker: Principal & { userId: string }, account: Registration): Promise<UserRow> {
    const user = await users.upgradeGuest(asker.tenantId, asker.userId, {
      email: account.email,
      password_hash: await hashPassword(account.password),
      display_name: account.display_name ?? nameOf(account.email),
      role: account.role,
    });
    if (!user) throw new ProblemError('conflict', { detail: 'This guest has an account already: sign in.' });
    // What the guest's device kept is replaced by the session this answer opens.
    await refreshTokens.forgetUser(user.tenant_id, user.id);
    return user;
  }

  async function create(tenantId: string, account: Registration): Promise<UserRow> {
    return users.create({
      tenant_id: tenantId,
      email: account.email,
      password_hash: await hashPassword(account.password),
      display_name: account.display_name ?? nameOf(account.email),
      role: account.role,
    });
  }

  async function absorbGuest(account: UserRow, guestRefreshToken: string): Promise<void> {
    const guest = await refreshTokens.ownerOf(hashSecretToken(guestRefreshToken));
    if (!guest || guest.tenant_id !== account.tenant_id || guest.user_id === account.id) return;
    const absorbed = await users.absorbGuest(account.tenant_id, guest.user_id, account.id);
    if (absorbed) invalidations.publish({ type: 'revoked', subject: `user:${guest.user_id}` });
  }

  return {
    async register(tenantId, registration, asker) {
      try {
        const guest = asker?.guest && asker.userId !== null ? { ...asker, userId: asker.userId } : null;
        return await open(await (guest ? upgrade(guest, registration) : create(tenantId, registration)));
      } catch (error) {
        if (error instanceof EmailTakenError)
          throw new ProblemError('conflict', {
            detail: 'This e-mail address has an account: sign in.',
            errors: [{ path: 'email', message: 'has an account' }],
          });
        throw error;
      }
    },

    async login(tenantId, email, password, guestRefreshToken) {
      const user = await users.findByEmail(tenantId, email);
      if (!(await verifyPassword(user?.password_hash ?? null, password)) || !user)
        throw new ProblemError('invalid_credentials');
      if (guestRefreshToken !== undefined) await absorbGuest(user, guestRefreshToken);
      return open(user);
    },

    async guest(tenantId) {
      const user = await users.create({
        tenant_id: tenantId,
        email: null,
        password_hash: null,
        display_name: 'Guest',
        role: 'fan',
        expires_at: new Date(Date.now() + guestMs),
      });
      return open(user);
    },

    async refresh(refreshToken) {
      const next = makeSecretToken();
      const rotation = await refreshTokens.rotate(hashSecretToken(refreshToken), {
        hash: hashSecretToken(next),
        expires_at: new Date(Date.now() + refreshTokenMs),
      });
      if (rotation.kind === 'reused') {
        invalidations.publish({ type: 'revoked', subject: `session:${rotation.family_id}` });
        throw new ProblemError('token_reused', {
          detail: 'This refresh token was used before, so the whole login has been ended: sign in again.',
        });
      }
      if (rotation.kind === 'expired')
        throw new ProblemError('token_expired', { detail: 'The refresh token has ended: sign in again.' });
      const user = rotation.kind === 'rotated' ? await users.find(rotation.tenant_id, rotation.user_id) : null;
      if (rotation.kind !== 'rotated' || !user)
        throw new ProblemError('unauthenticated', {
          detail: 'The refresh token is unknown or revoked: sign in again.',
        });
      return view(user, rotation.family_id, next);
    },

    async logout(refreshToken) {
      const ended = await refreshTokens.revoke(hashSecretToken(refreshToken));
      if (ended) invalidations.publish({ type: 'revoked', subject: `session:${ended.family_id}` });
      return ended !== null;
    },
  };
}

/** A first name to be called by, until one is chosen. */
function nameOf(email: string): string {
  return email.split('@')[0]!.slice(0, 80);
}
