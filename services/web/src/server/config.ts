import { commonEnv, parseEnv, port, url } from '@sidestage/runtime';

const shape = {
  ...commonEnv,
  PORT: port.default(3000),
  /** Where browsers reach the gateway; the page learns it from /config.json. */
  PUBLIC_GATEWAY_URL: url.default('http://localhost:8000'),
};

/** The web service's settings. Throws ConfigError. */
export function readConfig(env: Record<string, string | undefined>) {
  return parseEnv(shape, env);
}
