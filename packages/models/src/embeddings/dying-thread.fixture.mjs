// Stands in for the MiniLM thread: dies on a text that says so, once or always, and otherwise answers with the order it was asked in.
import { existsSync, writeFileSync } from 'node:fs';
import { parentPort } from 'node:worker_threads';

let asked = 0;
parentPort.on('message', (request) => {
  if (request === 'end') return parentPort.close();
  const { text } = request;
  const [verb, file] = text.split(' ');
  if (verb === 'die-always') process.exit(3);
  if (verb === 'die-once' && !existsSync(file)) {
    writeFileSync(file, 'died');
    throw new Error('told to die');
  }
  if (verb === 'refuse') return parentPort.postMessage({ error: 'told to refuse' });
  asked += 1;
  const vector = Float32Array.of(asked, text.length);
  setTimeout(() => parentPort.postMessage({ vector }), verb === 'slow' ? 20 : 0);
});
