import { WebSocket } from 'ws';
import type { SocketConstructor } from './socket-constructor.js';

/** Node's own from version 22 on, else the one of `ws`. */
export const PlatformWebSocket: SocketConstructor | undefined =
  (globalThis as { WebSocket?: SocketConstructor }).WebSocket ?? WebSocket;
