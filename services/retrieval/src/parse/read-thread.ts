import { parentPort, workerData } from 'node:worker_threads';
import { ParseError } from './parsed.js';
import { type ReadAnswer, readSourceNow, type ThreadRequest } from './read-source.js';

parentPort?.postMessage(read(workerData as ThreadRequest));

function read(request: ThreadRequest): ReadAnswer {
  try {
    return { read: readSourceNow(request) };
  } catch (error) {
    if (error instanceof ParseError) return { problem: error.message };
    throw error;
  }
}
