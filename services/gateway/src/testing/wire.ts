export type { Problem as ProblemView, SessionView } from '@sidestage/contracts';
