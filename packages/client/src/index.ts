export type { ClientEvent, Completed, Problem } from '@sidestage/contracts';
export type { PlatformSocket, SocketConstructor } from './platform/socket-constructor.js';
export { makeSidestage } from './sidestage.js';
export type {
  Conversation,
  ConversationOptions,
  Link,
  SendOptions,
  Sidestage,
  SidestageOptions,
  TransportKind,
  Turn,
  TurnPhase,
} from './types.js';
export type { Backoff } from './wire/backoff.js';
export type { CredentialSource } from './wire/credentials.js';
export { isRecord, problemOf, SidestageError, toProblem, unreachable } from './wire/problem.js';
export { parseRateLimit } from './wire/rate-limits.js';
