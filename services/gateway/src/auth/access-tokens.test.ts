import { createSecretKey } from 'node:crypto';
import { describe, expect, test } from '@jest/globals';
import { makeId } from '@sidestage/runtime';
import jwt from 'jsonwebtoken';
import { makeAccessTokens } from './access-tokens.js';

const secret = Buffer.from('a test’s own key of more than 32 bytes');
const key = createSecretKey(secret);
const account = {
  tenantId: makeId(),
  userId: makeId(),
  sessionId: makeId(),
  role: 'fan' as const,
  tier: 'premium' as const,
  guest: false,
};
const claims = { tenant: account.tenantId, sid: account.sessionId, role: 'operator', tier: 'enterprise' };
const common: jwt.SignOptions = {
  algorithm: 'HS256',
  issuer: 'sidestage',
  audience: 'sidestage-api',
  subject: account.userId,
  expiresIn: 900,
};
const forge = (payload: object, options: jwt.SignOptions, signer: jwt.Secret = key) =>
  jwt.sign(payload, signer, options);
const parts = (header: object, payload: object) =>
  [header, payload].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.');

describe('an access token', () => {
  test('says who its bearer is', () => {
    const tokens = makeAccessTokens(key);
    const principal = tokens.verify(tokens.sign(account));
    expect(principal).toMatchObject({ ...account, id: `user:${account.userId}` });
    expect(principal.expiresAt).toBeGreaterThan(Date.now() + 890_000);
  });

  test('that is forged in any known way is refused', () => {
    const tokens = makeAccessTokens(key);
    const now = Math.floor(Date.now() / 1000);
    const full = { ...claims, sub: account.userId, iss: 'sidestage', aud: 'sidestage-api', iat: now, exp: now + 900 };
    const genuine = tokens.sign(account).split('.');
    const { subject, ...anonymous } = common;
    const { expiresIn, ...endless } = common;
    const forged = {
      'no algorithm': `${parts({ alg: 'none', typ: 'JWT' }, full)}.`,
      'no algorithm, with a signature': `${parts({ alg: 'none' }, full)}.${genuine[2]}`,
      'another algorithm of the family': forge(claims, { ...common, algorithm: 'HS512' }),
      'another key': forge(claims, common, 'some other key of more than 32 bytes!'),
      'changed claims': `${genuine[0]}.${Buffer.from(JSON.stringify(full)).toString('base64url')}.${genuine[2]}`,
      'another issuer': forge(claims, { ...common, issuer: 'someone' }),
      'another audience': forge(claims, { ...common, audience: 'other-api' }),
      'no subject': forge(claims, anonymous),
      'no end': forge(claims, endless),
      'no tenant': forge({ ...claims, tenant: undefined }, common),
      'a role that is none': forge({ ...claims, role: 'root' }, common),
      'a subject that is no id': forge(claims, { ...common, subject: "' OR 1=1" }),
      'not yet valid': forge({ ...claims, nbf: now + 600 }, common),
      'cut off': tokens.sign(account).slice(0, -3),
      'no token': 'a.b.c',
    };
    for (const [what, token] of Object.entries(forged)) {
      let code = 'accepted';
      try {
        tokens.verify(token);
      } catch (error) {
        code = error instanceof Error && 'code' in error ? String(error.code) : String(error);
      }
      expect({ what, code }).toEqual({ what, code: 'unauthenticated' });
    }
  });

  test('ends 30 seconds after its time, also when it was seen before', () => {
    let nowMs = Date.now();
    const tokens = makeAccessTokens(key, () => nowMs);
    const token = tokens.sign(account);
    tokens.verify(token);
    nowMs += 925_000;
    expect(() => tokens.verify(token)).not.toThrow();
    nowMs += 10_000;
    expect(() => tokens.verify(token)).toThrow(/has ended/);
    expect(() => makeAccessTokens(key, () => nowMs).verify(token)).toThrow(/has ended/);
  });
});
