import { databaseUrl, parseEnv, postgresEnv } from '@sidestage/runtime';

/** The address the migrations run against. Throws ConfigError. */
export function migrationUrl(env: Record<string, string | undefined>): string {
  return databaseUrl(parseEnv(postgresEnv, env));
}
