import { parseArgs } from 'node:util';
import { startGeminiServer } from './gemini-server.js';
import { startOpenAiServer } from './openai-server.js';

/**
 * A model server as a process: `node main.js [gemini|openai] [--port N]`. Prints one line of JSON with its `kind`, `url` and `port` once it
 * listens, and runs until it is stopped. Its behaviour is set over `POST /control/behaviour` (see behaviour.ts).
 */
const { values, positionals } = parseArgs({ allowPositionals: true, options: { port: { type: 'string' } } });
const kind = positionals[0] ?? 'gemini';
if (kind !== 'gemini' && kind !== 'openai') {
  console.error(`the kind of server must be gemini or openai, not ${kind}`);
  process.exit(2);
}
const options = values.port === undefined ? {} : { port: Number(values.port) };
const server = await (kind === 'gemini' ? startGeminiServer(options) : startOpenAiServer(options));
console.log(JSON.stringify({ kind, url: server.url, port: server.port }));
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void server.close());
