import {
  ConfigError,
  commonEnv,
  databaseUrl,
  isShippedSecret,
  parseEnv,
  postgresEnv,
  refuseShippedSecrets,
} from '@sidestage/runtime';
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
      ENVIRONMENT: commonEnv.ENVIRONMENT,
      ...postgresEnv,
      OPERATOR_EMAIL: z.email('must be an e-mail address').optional(),
      OPERATOR_PASSWORD: z.string().min(12, 'must have at least 12 characters').optional(),
    },
    env,
  );
  const { OPERATOR_EMAIL: email, OPERATOR_PASSWORD: password } = config;
  const address = databaseUrl(config);
  refuseShippedSecrets(config.ENVIRONMENT, { keys: {}, databaseUrl: address });
  if (email && !password) throw new ConfigError(['OPERATOR_PASSWORD is not set: OPERATOR_EMAIL needs one']);
  if (password && !email) throw new ConfigError(['OPERATOR_EMAIL is not set: OPERATOR_PASSWORD is for one']);
  if (config.ENVIRONMENT === 'production' && password && isShippedSecret(password))
    throw new ConfigError(['OPERATOR_PASSWORD is shipped or guessable: choose another for production']);
  return { databaseUrl: address, operator: email && password ? { email, password } : null };
}
