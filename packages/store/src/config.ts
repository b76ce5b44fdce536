import { databaseUrl, parseEnv, postgresEnv } from '@sidestage/runtime';
import { z } from 'zod';

/** What compose's `migrate` container reads. */
export interface MigrateConfig {
  databaseUrl: string;
  /** The first operator of an empty database; null when none is to be made. */
  operator: { email: string; password: string } | null;
}

/** Throws ConfigError. */
export function readMigrateConfig(env: Record<string, string | undefined>): MigrateConfig {
  const config = parseEnv(
    {
      ...postgresEnv,
      OPERATOR_EMAIL: z.email('must be an e-mail address').optional(),
      OPERATOR_PASSWORD: z.string().min(12, 'must have at least 12 characters').optional(),
    },
    env,
  );
  const { OPERATOR_EMAIL: email, OPERATOR_PASSWORD: password } = config;
  return { databaseUrl: databaseUrl(config), operator: email && password ? { email, password } : null };
}
