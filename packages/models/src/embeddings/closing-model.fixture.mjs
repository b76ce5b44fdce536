// A process that opens the model and closes it after as many milliseconds as its argument says.
import { setTimeout } from 'node:timers/promises';
import { makeBuiltinEmbeddings } from '../../dist/embeddings/builtin-embeddings.js';

const model = makeBuiltinEmbeddings({ threads: 1 });
await setTimeout(Number(process.argv[2]));
await model.close();
