/** What an event of a socket may carry, as browsers and `ws` have it. */
export interface SocketEvent {
  readonly type?: string;
  readonly data?: unknown;
  readonly code?: number;
}

/** The part of a platform's WebSocket that is used here. */
export interface PlatformSocket {
  readonly readyState: number;
  send(data: string): void;
  close(code?: number, reason?: string): void;
  addEventListener(type: 'message' | 'close' | 'error', listener: (event: SocketEvent) => void): void;
}

/** A WebSocket class like the platform's own. */
export type SocketConstructor = new (url: string, protocols: string[]) => PlatformSocket;
