import type { SocketConstructor } from './socket-constructor.js';

/** The platform's own; undefined where there is none. */
export const PlatformWebSocket = (globalThis as { WebSocket?: SocketConstructor }).WebSocket;
