import { parentPort, workerData } from 'node:worker_threads';
import { ParseError } from './parsed.js';
import { type ReadAnswer, type ReadRequest, readSourceNow } from './read-source.js';

parentPort?.postMessage(read(workerData as ReadRequest));

function read(request: ReadRequest): ReadAnswer {
  try {
    return { read: readSourceNow(request) };
  } catch (error) {
    if (error instanceof ParseError) return { problem: error.message };
    throw error;
  }
}
