export type { ClientEvent, Completed, Problem } from '@sidestage/contracts';
