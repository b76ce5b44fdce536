import { type Logger, pino } from 'pino';

export type { Logger } from 'pino';

const levels: Record<string, string> = { WARNING: 'warn', CRITICAL: 'fatal' };
const redactedPaths = [
  'authorization',
  'password',
  'token',
  'api_key',
  'cookie',
  'refresh_token',
  'access_token',
  '*.authorization',
  '*.password',
  '*.token',
  '*.api_key',
  '*.refresh_token',
  '*.access_token',
  'headers["x-api-key"]',
];
/** Keys and JWTs that slipped into a text. */
const secretPattern = /\b(sk_[a-z]+_[A-Za-z0-9_-]{8,}|eyJ[\w-]{8,}\.[\w-]+\.[\w-]*)/g;

/** JSON logs on stdout, one object a line: `service`, `level` by name, `request_id` where there is one. Secrets are redacted by key and pattern. */
export function makeLogger(options: { service: string; level: string; debug?: boolean }): Logger {
  const wanted = levels[options.level] ?? options.level.toLowerCase();
  return pino({
    level: options.debug ? 'debug' : wanted,
    base: { service: options.service, pid: process.pid },
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) },
    redact: { paths: redactedPaths, censor: '[redacted]' },
    hooks: {
      streamWrite: (line) => line.replace(secretPattern, '[redacted]'),
    },
  });
}
