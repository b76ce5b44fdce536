import { runUntilSignal } from '@sidestage/runtime';
import { runWeb } from './run.js';

runUntilSignal(() => runWeb(process.env));
