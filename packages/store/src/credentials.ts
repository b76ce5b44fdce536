import { createHash, randomBytes } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { hash, verify } from '@node-rs/argon2';
import { makeHashingLine } from './hashing-line.js';

const alphabet = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
const secretBytes = 20;
/** Digits of 160 bits in base 62. */
const secretLength = 27;
const checksumLength = 6;
const apiKeyPattern = /^sk_live_([0-9A-Za-z]{27})_([0-9A-Za-z]{6})$/;

function toBase62(value: bigint, length: number): string {
  let digits = '';
  for (let rest = value; rest > 0n; rest /= 62n) digits = alphabet[Number(rest % 62n)] + digits;
  return digits.padStart(length, '0');
}

function checksumOf(secret: string): string {
  return toBase62(BigInt(crc32(`sk_live_${secret}`)), checksumLength);
}

/** SHA-256, as `api_keys.key_hash`: keys carry 160 random bits, so a slow hash would add nothing. */
export function hashApiKey(key: string): Buffer {
  return createHash('sha256').update(key).digest();
}

/** A new key, `sk_live_<160 random bits>_<checksum>`. `key` is shown once; `hash` and `prefix` are stored. */
export function makeApiKey(): { key: string; hash: Buffer; prefix: string } {
  const secret = toBase62(BigInt(`0x${randomBytes(secretBytes).toString('hex')}`), secretLength);
  const key = `sk_live_${secret}_${checksumOf(secret)}`;
  return { key, hash: hashApiKey(key), prefix: key.slice(0, 14) };
}

/** Whether it can be a key of ours: a mistyped one is told apart without a look-up. */
export function isWellFormedApiKey(key: string): boolean {
  const match = apiKeyPattern.exec(key);
  return match !== null && match[2] === checksumOf(match[1] ?? '');
}

/** An opaque secret of 256 bits (refresh tokens, tickets). */
export function makeSecretToken(): string {
  return randomBytes(32).toString('base64url');
}

/** SHA-256 of such a secret, as it is stored. */
export function hashSecretToken(token: string): Buffer {
  return createHash('sha256').update(token).digest();
}

/** OWASP's setting for argon2id, the library's default algorithm (19 MiB, 2 passes): about 25 ms, in a thread of the pool. */
const argon2 = { memoryCost: 19_456, timeCost: 2, parallelism: 1 };

/**
 * Two at once: a burst of sign-ups must leave threads of libuv's pool free, where the handshakes of new Postgres connections wait too
 * (200 registrations at once made connections time out). Signing in and up share the line; who would wait past 25 s is refused, because a
 * request ends after 30 s anyway.
 */
const line = makeHashingLine({ atOnce: 2, maxWaitMs: 25_000, firstGuessMs: 25 });

/** Throws `overloaded` when the line is too long. */
export function hashPassword(password: string): Promise<string> {
  return line.run(() => hash(password, argon2));
}

let decoy: Promise<string> | undefined;

/**
 * Whether `password` is the one behind `storedHash`. With null (no such account, a guest) it takes the same time and is false, so that
 * answers do not tell which e-mail addresses have accounts. Throws `overloaded` when the line is too long.
 */
export async function verifyPassword(storedHash: string | null, password: string): Promise<boolean> {
  decoy ??= hash(makeSecretToken(), argon2);
  const stored = storedHash ?? (await decoy);
  const matches = await line.run(() => verify(stored, password));
  return matches && storedHash !== null;
}
