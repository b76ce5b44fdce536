import { ConfigError } from './env.js';

/** Words of secrets that stand in examples and in other people's repositories. */
const shippedSecret = /change.?me|example|default|your[-_ ]|secret[-_ ]?key|development|insecure|password|^#|^(.)\1+$/i;
const shippedPasswords = new Set(['', 'sidestage', 'postgres', 'redis', 'password', 'secret', 'admin', 'changeme']);

/** What a process keeps secret, or reaches other parts with. */
export interface Secrets {
  /** Signing keys and tokens by the name of their variable; undefined: not set. */
  keys: Record<string, string | undefined>;
  databaseUrl: string;
  /** A server without a password may stand in a network of its own; a password that others know may not. */
  redisUrl?: string;
}

function passwordOf(address: string): string {
  return decodeURIComponent(new URL(address).password);
}

/** Whether a secret stands in an example, is empty, or is one character repeated. */
export function isShippedSecret(secret: string): boolean {
  return secret === '' || shippedSecret.test(secret);
}

/** A production process does not start on a secret that others know. Throws ConfigError that names each one and says what to do. */
export function refuseShippedSecrets(environment: string, secrets: Secrets): void {
  if (environment !== 'production') return;
  const problems = Object.entries(secrets.keys)
    .filter(([, secret]) => isShippedSecret(secret ?? ''))
    .map(
      ([name, secret]) =>
        `${name} is ${secret ? 'a shipped or guessable secret' : 'not set'}: in production make one with \`openssl rand -hex 32\``,
    );
  if (shippedPasswords.has(passwordOf(secrets.databaseUrl)))
    problems.push('POSTGRES_PASSWORD is empty or shipped: choose one for production');
  const redisPassword = secrets.redisUrl ? passwordOf(secrets.redisUrl) : '';
  if (redisPassword !== '' && shippedPasswords.has(redisPassword))
    problems.push('REDIS_PASSWORD is shipped: choose one for production');
  if (problems.length > 0) throw new ConfigError(problems);
}
