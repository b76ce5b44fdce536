// Fans at once, each with an account and three turns in one conversation:  k6 run -e USERS=200 k6/chat.js
// The gateway must run with AUTH_RATE_PER_MINUTE raised, since every account registers from one address.
import { check, sleep } from 'k6';
import { Counter } from 'k6/metrics';
import { ask, fanHeaders, prepareTenant } from './lib/fleet.js';

const users = Number(__ENV.USERS || 10);
const turns = Number(__ENV.TURNS || 3);
const answered = new Counter('turns_answered');

export const options = {
  scenarios: {
    fans: { executor: 'per-vu-iterations', vus: users, iterations: 1, maxDuration: '10m' },
  },
  thresholds: { http_req_failed: ['rate==0'], checks: ['rate==1'], turns_answered: [`count==${users * turns}`] },
  setupTimeout: '300s',
};

const questions = [
  'How much water do I need for the first loaf?',
  'And how long should bulk fermentation take?',
  'Tell me more about that.',
  'Why must a loaf cool before it is cut?',
];

export function setup() {
  const tenant = prepareTenant(users);
  console.log(`tenant ${tenant.tenantId}`);
  return tenant;
}

export default function fan(tenant) {
  const headers = fanHeaders(tenant);
  let conversation;
  const seen = new Set();
  for (let turn = 0; turn < turns; turn++) {
    const reply = ask(headers, {
      message: questions[turn % questions.length],
      creator_id: tenant.creatorId,
      ...(conversation && { conversation_id: conversation }),
    });
    if (reply?.status !== 'completed') continue;
    check(reply, {
      'same conversation': (r) => !conversation || r.conversation_id === conversation,
      'not seen before': (r) => !seen.has(r.message_id),
    });
    seen.add(reply.message_id);
    conversation = reply.conversation_id;
    answered.add(1);
    sleep(Math.random());
  }
}
