import { inTransaction, makeId, type PgClient, type PgPool } from '@sidestage/runtime';
import { recordAudit } from './audit.js';
import { recordRevocation } from './revocations.js';

interface RefreshTokenRow {
  tenant_id: string;
  user_id: string;
  family_id: string;
  expires_at: Date;
  used_at: Date | null;
  revoked_at: Date | null;
  expired: boolean;
}

export type Rotation =
  | { kind: 'rotated'; tenant_id: string; user_id: string; family_id: string }
  /** The token was used before: its whole family is revoked now. */
  | { kind: 'reused'; family_id: string }
  | { kind: 'unknown' }
  | { kind: 'expired' };

/** Refresh tokens: each is used once; the next of the same login belongs to the same family. Engine pool: the token tells the tenant. */
export function makeRefreshTokenRepository(engine: PgPool) {
  return {
    /** Begins a family (one login on one device). Resolves with its id. */
    async begin(token: { tenant_id: string; user_id: string; hash: Buffer; expires_at: Date }): Promise<string> {
      const familyId = makeId();
      await insertToken(engine, { ...token, family_id: familyId });
      return familyId;
    },

    /**
     * Exchanges a token for the next. Two exchanges at once: the row lock lets one win, the other is a reuse.
     * A guest's next token never outlives the guest.
     */
    async rotate(hash: Buffer, next: { hash: Buffer; expires_at: Date }): Promise<Rotation> {
      return inTransaction(engine, async (client): Promise<Rotation> => {
        const row = await lockToken(client, hash);
        if (!row || row.revoked_at) return { kind: 'unknown' };
        if (row.used_at) {
          await revokeFamily(client, row, 'token.reused');
          return { kind: 'reused', family_id: row.family_id };
        }
        if (row.expired) return { kind: 'expired' };
        await client.query('UPDATE refresh_tokens SET used_at = now() WHERE token_hash = $1', [hash]);
        const { tenant_id, user_id, family_id } = row;
        await insertToken(client, { tenant_id, user_id, family_id, ...next });
        return { kind: 'rotated', tenant_id, user_id, family_id };
      });
    },

    /** Ends the login this token belongs to; null when there is none. */
    async revoke(hash: Buffer): Promise<{ family_id: string; user_id: string } | null> {
      return inTransaction(engine, async (client) => {
        const row = await lockToken(client, hash);
        if (!row || row.revoked_at) return null;
        await revokeFamily(client, row, 'session.ended');
        return { family_id: row.family_id, user_id: row.user_id };
      });
    },

    /** Whose unused token this is, without using it. */
    async ownerOf(hash: Buffer): Promise<{ tenant_id: string; user_id: string } | null> {
      const { rows } = await engine.query<{ tenant_id: string; user_id: string }>(
        `SELECT tenant_id, user_id FROM refresh_tokens
         WHERE token_hash = $1 AND used_at IS NULL AND revoked_at IS NULL AND expires_at > now()`,
        [hash],
      );
      return rows[0] ?? null;
    },

    /** Ends every login of a user but one. */
    async forgetUser(tenantId: string, userId: string): Promise<void> {
      await engine.query('DELETE FROM refresh_tokens WHERE tenant_id = $1 AND user_id = $2', [tenantId, userId]);
    },

    async forgetExpired(limit: number): Promise<void> {
      await engine.query(
        `DELETE FROM refresh_tokens WHERE token_hash IN
           (SELECT token_hash FROM refresh_tokens WHERE expires_at < now() - interval '1 day' LIMIT $1)`,
        [limit],
      );
    },
  };
}
export type RefreshTokenRepository = ReturnType<typeof makeRefreshTokenRepository>;

async function lockToken(client: PgClient, hash: Buffer): Promise<RefreshTokenRow | null> {
  const { rows } = await client.query<RefreshTokenRow>(
    `SELECT tenant_id, user_id, family_id, expires_at, used_at, revoked_at, expires_at <= now() AS expired
     FROM refresh_tokens WHERE token_hash = $1 FOR UPDATE`,
    [hash],
  );
  return rows[0] ?? null;
}

async function insertToken(
  client: PgClient | PgPool,
  token: { tenant_id: string; user_id: string; family_id: string; hash: Buffer; expires_at: Date },
): Promise<void> {
  await client.query(
    `INSERT INTO refresh_tokens (token_hash, tenant_id, user_id, family_id, expires_at)
     SELECT $1, $2, u.id, $4, LEAST($5::timestamptz, u.expires_at) FROM users u WHERE u.tenant_id = $2 AND u.id = $3`,
    [token.hash, token.tenant_id, token.user_id, token.family_id, token.expires_at],
  );
}

async function revokeFamily(client: PgClient, row: RefreshTokenRow, action: string): Promise<void> {
  await client.query('UPDATE refresh_tokens SET revoked_at = now() WHERE family_id = $1 AND revoked_at IS NULL', [
    row.family_id,
  ]);
  await recordRevocation(client, row.tenant_id, `session:${row.family_id}`);
  await recordAudit(client, {
    tenant_id: row.tenant_id,
    actor: `user:${row.user_id}`,
    action,
    subject: `session:${row.family_id}`,
  });
}
