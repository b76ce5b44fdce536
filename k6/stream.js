// Streams over SSE and sockets at once:  k6 run -e USERS=100 k6/stream.js
import { check } from 'k6';
import http from 'k6/http';
import ws from 'k6/ws';
import { fanHeaders, gateway, prepareTenant } from './lib/fleet.js';

const users = Number(__ENV.USERS || 10);
const half = Math.max(1, Math.floor(users / 2));

export const options = {
  scenarios: {
    sse: { executor: 'per-vu-iterations', exec: 'overSse', vus: half, iterations: 1, maxDuration: '5m' },
    sockets: {
      executor: 'per-vu-iterations',
      exec: 'overSocket',
      vus: users - half || 1,
      iterations: 1,
      maxDuration: '5m',
    },
  },
  thresholds: { http_req_failed: ['rate==0'], checks: ['rate==1'] },
  setupTimeout: '300s',
};

export const setup = () => prepareTenant(users);

/** Whether the numbers of the events count up by one and the last event is `completed`. */
function isWhole(events) {
  return (
    events.length > 1 &&
    events.every((event, index) => index === 0 || event.seq === events[index - 1].seq + 1) &&
    events[events.length - 1].type === 'completed'
  );
}

export function overSse(tenant) {
  const headers = fanHeaders(tenant);
  const response = http.post(
    `${gateway}/api/v1/chat`,
    JSON.stringify({ message: 'Why does a loaf need steam?', creator_id: tenant.creatorId }),
    {
      headers: { ...headers, Accept: 'text/event-stream' },
      timeout: '120s',
      tags: { name: 'chat sse' },
    },
  );
  const events = String(response.body)
    .split('\n')
    .filter((line) => line.startsWith('data: '))
    .map((line) => JSON.parse(line.slice(6)));
  check(events, { 'whole stream': isWhole });
}

export function overSocket(tenant) {
  const headers = fanHeaders(tenant);
  const token = headers.Authorization.slice('Bearer '.length);
  const events = [];
  const response = ws.connect(
    `${gateway.replace(/^http/, 'ws')}/ws/new/k6-${__VU}`,
    { headers: { 'Sec-WebSocket-Protocol': `sidestage, bearer.${token}` } },
    (socket) => {
      socket.on('open', () =>
        socket.send(JSON.stringify({ type: 'message', message: 'How hot is the oven?', creator_id: tenant.creatorId })),
      );
      socket.on('message', (data) => {
        const frame = JSON.parse(data);
        if (typeof frame.seq === 'number') events.push(frame);
        if (['completed', 'failed', 'cancelled', 'error'].includes(frame.type)) socket.close();
      });
      socket.setTimeout(() => socket.close(), 120000);
    },
  );
  check(response, { upgraded: (r) => r && r.status === 101 });
  check(events, { 'whole reply': isWhole });
}
