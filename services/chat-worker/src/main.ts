import { runUntilSignal } from '@sidestage/runtime';
import { readConfig } from './config.js';
import { runWorker } from './run.js';

runUntilSignal(async () => runWorker(readConfig(process.env)));
