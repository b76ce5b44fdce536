import { runUntilSignal } from '@sidestage/runtime';
import { readConfig } from './config.js';
import { runRetrieval } from './run.js';

runUntilSignal(async () => runRetrieval(readConfig(process.env)));
