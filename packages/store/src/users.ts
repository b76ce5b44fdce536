import type { Role, Tier } from '@sidestage/contracts';
import { makeId, type PgClient, type PgPool } from '@sidestage/runtime';
import { recordAudit } from './audit.js';
import type { Database } from './database.js';
import { recordRevocation } from './revocations.js';

export interface UserRow {
  id: string;
  tenant_id: string;
  /** null for a guest */
  email: string | null;
  password_hash: string | null;
  display_name: string;
  role: Exclude<Role, 'integrator'>;
  tier: Tier;
  locale: string | null;
  /** When a guest ends; null for an account. */
  expires_at: Date | null;
  created_at: Date;
}

export interface NewUser {
  tenant_id: string;
  email: string | null;
  password_hash: string | null;
  display_name: string;
  role: UserRow['role'];
  tier?: Tier;
  expires_at?: Date | null;
}

const columns = 'id, tenant_id, email, password_hash, display_name, role, tier, locale, expires_at, created_at';
const alive = '(expires_at IS NULL OR expires_at > now())';

/** The e-mail address has an account in this tenant. */
export class EmailTakenError extends Error {
  constructor() {
    super('this e-mail address has an account');
    this.name = 'EmailTakenError';
  }
}

async function refusingTakenEmail<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof Error && 'constraint' in error && error.constraint === 'users_email')
      throw new EmailTakenError();
    throw error;
  }
}

/** Accounts and guests. */
export function makeUserRepository(database: Pick<Database, 'engine' | 'asTenant'>) {
  return {
    /** Throws EmailTakenError. */
    create(user: NewUser): Promise<UserRow> {
      return refusingTakenEmail(() =>
        database.asTenant(user.tenant_id, async (client) => {
          const id = makeId();
          const { rows } = await client.query<UserRow>(
            `INSERT INTO users (id, tenant_id, email, password_hash, display_name, role, tier, expires_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8) RETURNING ${columns}`,
            [
              id,
              user.tenant_id,
              user.email,
              user.password_hash,
              user.display_name,
              user.role,
              user.tier ?? 'free',
              user.expires_at ?? null,
            ],
          );
          await recordAudit(client, {
            tenant_id: user.tenant_id,
            actor: `user:${id}`,
            action: user.email === null ? 'guest.created' : 'account.created',
            subject: `user:${id}`,
            detail: { role: user.role },
          });
          return rows[0]!;
        }),
      );
    },

    async find(tenantId: string, id: string): Promise<UserRow | null> {
      return database.asTenant(tenantId, async (client) => {
        const { rows } = await client.query<UserRow>(`SELECT ${columns} FROM users WHERE id = $1 AND ${alive}`, [id]);
        return rows[0] ?? null;
      });
    },

    async findByEmail(tenantId: string, email: string): Promise<UserRow | null> {
      return database.asTenant(tenantId, async (client) => {
        const { rows } = await client.query<UserRow>(`SELECT ${columns} FROM users WHERE lower(email) = lower($1)`, [
          email,
        ]);
        return rows[0] ?? null;
      });
    },

    /** A guest becomes an account and keeps its id, so also its conversations. Null when it is no guest (any more). Throws EmailTakenError. */
    upgradeGuest(
      tenantId: string,
      id: string,
      account: { email: string; password_hash: string; display_name: string | null; role: UserRow['role'] },
    ): Promise<UserRow | null> {
      return refusingTakenEmail(() =>
        database.asTenant(tenantId, async (client) => {
          const { rows } = await client.query<UserRow>(
            `UPDATE users SET email = $2, password_hash = $3, display_name = COALESCE($4, display_name), role = $5, expires_at = NULL
             WHERE id = $1 AND email IS NULL AND ${alive} RETURNING ${columns}`,
            [id, account.email, account.password_hash, account.display_name, account.role],
          );
          if (!rows[0]) return null;
          await recordAudit(client, {
            tenant_id: tenantId,
            actor: `user:${id}`,
            action: 'guest.upgraded',
            subject: `user:${id}`,
          });
          return rows[0];
        }),
      );
    },

    async updateProfile(
      tenantId: string,
      id: string,
      patch: { display_name?: string; locale?: string },
    ): Promise<UserRow | null> {
      return database.asTenant(tenantId, async (client) => {
        const { rows } = await client.query<UserRow>(
          `UPDATE users SET display_name = COALESCE($2, display_name), locale = COALESCE($3, locale)
           WHERE id = $1 AND ${alive} RETURNING ${columns}`,
          [id, patch.display_name ?? null, patch.locale ?? null],
        );
        return rows[0] ?? null;
      });
    },

    /** Moves a guest's conversations to an account and ends the guest. False when there is no such guest. */
    async absorbGuest(tenantId: string, guestId: string, accountId: string): Promise<boolean> {
      return database.asTenant(tenantId, async (client) => {
        const { rowCount } = await client.query('SELECT FROM users WHERE id = $1 AND email IS NULL FOR UPDATE', [
          guestId,
        ]);
        if (rowCount !== 1) return false;
        const [from, to] = [`user:${guestId}`, `user:${accountId}`];
        await client.query('UPDATE conversations SET principal = $2 WHERE principal = $1', [from, to]);
        // A key belongs to who sent it; the account may have used the same one.
        await client.query('UPDATE turns SET principal = $2, idempotency_key = NULL WHERE principal = $1', [from, to]);
        await client.query('DELETE FROM users WHERE id = $1', [guestId]);
        await recordRevocation(client, tenantId, `user:${guestId}`);
        await recordAudit(client, { tenant_id: tenantId, actor: to, action: 'guest.absorbed', subject: from });
        return true;
      });
    },

    /** Erases the account, its logins and its conversations. Creators it made stay with the tenant. False when it is gone already. */
    async erase(tenantId: string, id: string, actor: string): Promise<boolean> {
      return database.asTenant(tenantId, (client) => eraseUser(client, tenantId, id, actor));
    },

    /** Erases guests past their end, at most `limit`. Resolves with how many. */
    async eraseExpiredGuests(limit: number): Promise<number> {
      const expired = await expiredGuests(database.engine, limit);
      for (const guest of expired) {
        await database.asTenant(guest.tenant_id, (client) => eraseUser(client, guest.tenant_id, guest.id, 'system'));
      }
      return expired.length;
    },
  };
}
export type UserRepository = ReturnType<typeof makeUserRepository>;

async function expiredGuests(engine: PgPool, limit: number): Promise<{ id: string; tenant_id: string }[]> {
  const { rows } = await engine.query<{ id: string; tenant_id: string }>(
    'SELECT id, tenant_id FROM users WHERE expires_at < now() ORDER BY expires_at LIMIT $1',
    [limit],
  );
  return rows;
}

async function eraseUser(client: PgClient, tenantId: string, id: string, actor: string): Promise<boolean> {
  await client.query('DELETE FROM conversations WHERE principal = $1', [`user:${id}`]);
  await client.query('UPDATE creators SET owner_id = NULL WHERE owner_id = $1', [id]);
  const { rowCount } = await client.query('DELETE FROM users WHERE id = $1', [id]);
  if (rowCount !== 1) return false;
  await recordRevocation(client, tenantId, `user:${id}`);
  await recordAudit(client, { tenant_id: tenantId, actor, action: 'account.erased', subject: `user:${id}` });
  return true;
}
