import { runUntilSignal } from '@sidestage/runtime';
import { readConfig } from './config.js';
import { runGateway } from './run.js';

runUntilSignal(async () => runGateway(readConfig(process.env)));
