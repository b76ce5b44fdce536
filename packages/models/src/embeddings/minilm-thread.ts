import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parentPort } from 'node:worker_threads';
import { Tokenizer } from '@huggingface/tokenizers';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import type { ThreadAnswer, ThreadRequest } from './builtin-embeddings.js';

const folder = new URL('../../minilm/', import.meta.url);
const maxTokens = 256;
/** More than 256 tokens of any text: what lies beyond is cut anyway and need not be tokenised. */
const maxCharacters = 8_000;

const tokenizer = new Tokenizer(readJson('tokenizer.json'), readJson('tokenizer_config.json'));
const session = await InferenceSession.create(fileURLToPath(new URL('model.int8.onnx', folder)), {
  intraOpNumThreads: 1,
  interOpNumThreads: 1,
  graphOptimizationLevel: 'all',
});

let running: Promise<void> = Promise.resolve();
parentPort?.on('message', (request: ThreadRequest) => {
  if (request === 'end') {
    void running.then(() => session.release()).finally(() => parentPort?.close());
    return;
  }
  running = embed(request.text).then(
    (vector) => answer({ vector }),
    (error: unknown) => answer({ error: error instanceof Error ? error.message : String(error) }),
  );
});

function answer(message: ThreadAnswer): void {
  parentPort?.postMessage(message);
}

function readJson(name: string): object {
  const parsed: unknown = JSON.parse(readFileSync(new URL(name, folder), 'utf8'));
  if (typeof parsed !== 'object' || parsed === null) throw new Error(`${name} is not a JSON object`);
  return parsed;
}

async function embed(text: string): Promise<Float32Array> {
  const ids = tokenIds(text);
  // One text a run and a mask of ones: padding is never needed, and padded ids without their mask give nonsense that looks plausible.
  const shape = [1, ids.length];
  const output = await session.run({
    input_ids: new Tensor('int64', BigInt64Array.from(ids, BigInt), shape),
    attention_mask: new Tensor('int64', new BigInt64Array(ids.length).fill(1n), shape),
  });
  const data = output.embedding?.data;
  if (!(data instanceof Float32Array)) throw new Error('the model gave no vector');
  return Float32Array.from(data);
}

function tokenIds(text: string): number[] {
  const { ids } = tokenizer.encode(text.slice(0, maxCharacters).toWellFormed());
  const end = ids.at(-1);
  return ids.length > maxTokens && end !== undefined ? [...ids.slice(0, maxTokens - 1), end] : ids;
}
