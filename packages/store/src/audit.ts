import type { PgClient, PgPool } from '@sidestage/runtime';

/** Who did what to keys, policies, tenants, accounts. Append-only; never holds a secret. */
export interface AuditEntry {
  tenant_id: string;
  /** A principal's id, `anonymous` or `system`. */
  actor: string;
  /** e.g. `key.created` */
  action: string;
  /** What it was done to: an id. */
  subject: string;
  detail?: Record<string, unknown>;
}

export async function recordAudit(client: PgClient | PgPool, entry: AuditEntry): Promise<void> {
  await client.query('INSERT INTO audit (tenant_id, actor, action, subject, detail) VALUES ($1, $2, $3, $4, $5)', [
    entry.tenant_id,
    entry.actor,
    entry.action,
    entry.subject,
    JSON.stringify(entry.detail ?? {}),
  ]);
}
