import { check, sleep } from 'k6';
import exec from 'k6/execution';
import http from 'k6/http';

/** Address of the gateway, and the operator's account: `npm start` writes both to .sidestage/demo.json. */
const demo = JSON.parse(open(__ENV.DEMO_FILE || '../../.sidestage/demo.json'));
export const gateway = __ENV.GATEWAY || demo.gateway;

const json = { 'Content-Type': 'application/json' };
const unlimited = { per_hour: 1000000, per_minute: 100000, in_flight: 1000, weight: 1 };

function must(response, status, what) {
  if (response.status !== status) throw new Error(`${what}: ${response.status} ${response.body}`);
  return response.json();
}

/** Accounts made at once. A password takes 25 ms of a core to hash, so making them is no part of the load. */
const accountsAtOnce = 20;

/** A tenant of its own with a raised policy, a creator that knows one article, and `users` fans. Runs once, before the load. */
export function prepareTenant(users) {
  const login = must(
    http.post(
      `${gateway}/api/v1/auth/login`,
      JSON.stringify({ email: demo.operator.email, password: demo.operator.password }),
      { headers: json },
    ),
    200,
    'operator login',
  );
  const operator = { ...json, Authorization: `Bearer ${login.access_token}` };
  const tenant = must(
    http.post(`${gateway}/api/v1/admin/tenants`, JSON.stringify({ name: `k6 ${new Date().toISOString()}` }), {
      headers: operator,
    }),
    201,
    'tenant',
  );
  must(
    http.put(
      `${gateway}/api/v1/admin/tenants/${tenant.id}/policy`,
      JSON.stringify({
        tiers: { free: unlimited, premium: unlimited, enterprise: unlimited },
        tenant: { per_minute: 1000000, burst: 1000000 },
      }),
      { headers: operator },
    ),
    200,
    'policy',
  );
  const key = { ...json, Authorization: `Bearer ${tenant.api_key}` };
  const creator = must(
    http.post(
      `${gateway}/api/v1/creators`,
      JSON.stringify({ name: 'Load Test Baker', description: 'Bread, measured.' }),
      { headers: key },
    ),
    201,
    'creator',
  );
  const source = must(
    http.post(
      `${gateway}/api/v1/creators/${creator.id}/sources`,
      JSON.stringify({ title: 'Bread in one page', kind: 'article', format: 'markdown', content: article }),
      { headers: key },
    ),
    202,
    'source',
  );
  for (let second = 0; second < 60; second++) {
    const state = must(
      http.get(`${gateway}/api/v1/creators/${creator.id}/sources/${source.id}`, { headers: key }),
      200,
      'source state',
    );
    if (state.status === 'ready')
      return { tenantId: tenant.id, creatorId: creator.id, fans: registerFans(tenant.id, users) };
    if (state.status === 'failed') throw new Error(`the source failed: ${state.error}`);
    sleep(1);
  }
  throw new Error('the source was not ready after 60 s');
}

/** New accounts of the tenant; gives their access tokens. */
function registerFans(tenantId, users) {
  const tokens = [];
  const request = () => ({
    method: 'POST',
    url: `${gateway}/api/v1/auth/register`,
    body: JSON.stringify({ email: `fan-${unique()}@example.com`, password: 'a long enough password' }),
    params: { headers: { ...json, 'X-Tenant-ID': tenantId } },
  });
  while (tokens.length < users) {
    const batch = Array.from({ length: Math.min(accountsAtOnce, users - tokens.length) }, request);
    tokens.push(...http.batch(batch).map((response) => must(response, 201, 'account').access_token));
  }
  return tokens;
}

const unique = () => `${Date.now()}-${Math.floor(Math.random() * 1e12)}`;

/** The headers of the fan this virtual user plays. */
export function fanHeaders(setup) {
  return { ...json, Authorization: `Bearer ${setup.fans[(exec.vu.idInTest - 1) % setup.fans.length]}` };
}

/** One turn by waiting; a wait that outlasts the gateway's limit (202) is polled to its end. Resolves with the finished turn or null. */
export function ask(headers, body) {
  const response = http.post(`${gateway}/api/v1/chat`, JSON.stringify(body), {
    headers: { ...headers, 'Idempotency-Key': unique() },
    timeout: '60s',
    tags: { name: 'chat' },
  });
  let turn = response.status === 200 || response.status === 202 ? response.json() : null;
  for (
    let second = 0;
    turn && response.status === 202 && (turn.status === 'queued' || turn.status === 'running') && second < 180;
    second++
  ) {
    sleep(1);
    turn = http.get(`${gateway}/api/v1/messages/${turn.message_id}`, { headers, tags: { name: 'message' } }).json();
  }
  check(turn, { answered: (t) => t !== null && t.status === 'completed' && t.reply.text.length > 0 });
  return turn;
}

const article = `# Bread in one page

Flour, water, salt and time make bread. For a first loaf take five hundred grams of flour, three hundred and fifty grams of water and ten grams of salt.
That is seventy percent hydration. Wet dough gives an open crumb, and dry dough is easier to shape.

## Fermentation

Bulk fermentation takes about five hours at twenty four degrees. Watch the dough and not the clock: it is ready when it has grown by half and the surface domes.
Cold slows yeast down. A night in the refrigerator gives the crust colour and the crumb flavour.

## Baking

Bake at two hundred and fifty degrees in a closed pot for twenty minutes, then open it for twenty five more. Steam keeps the skin soft so that the loaf can spring.
Let it cool for an hour: the inside is still setting, and a loaf cut hot is gummy.
`;
