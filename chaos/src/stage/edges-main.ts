import { startTcpProxy, type TcpProxy } from '@sidestage/testkit';
import type { EdgeAction, EdgeAnswer, EdgeRequest } from './edge-messages.js';

/** The network between the parts, in a process of its own: what it carries must not wait for the fans' work. */
const proxies = new Map<string, TcpProxy>();

function act(proxy: TcpProxy, action: EdgeAction): number {
  if (action.do === 'cut') return proxy.cut();
  if (action.do === 'delay') proxy.delay(action.ms);
  if (action.do === 'throttle') proxy.throttle(action.bytesPerSecond);
  if (action.do === 'hold') proxy.hold();
  if (action.do === 'refuse') proxy.refuse();
  if (action.do === 'heal') proxy.heal();
  return proxy.connections;
}

async function answer(request: EdgeRequest): Promise<number> {
  if (request.kind === 'open') {
    const proxy = await startTcpProxy({ target: request.target });
    proxies.set(request.name, proxy);
    return proxy.port;
  }
  const proxy = proxies.get(request.name);
  if (!proxy) throw new Error(`no edge ${request.name}`);
  return act(proxy, request.action);
}

process.on('message', (request: EdgeRequest) => {
  const reply = (message: EdgeAnswer): void => void process.send?.(message);
  answer(request).then(
    (value) => reply({ id: request.id, value }),
    (error: unknown) => reply({ id: request.id, error: String(error) }),
  );
});
process.on('disconnect', () => process.exit(0));
