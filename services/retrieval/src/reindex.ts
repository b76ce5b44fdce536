import { Lifecycle, makeLogger, makeMetrics } from '@sidestage/runtime';
import { readConfig } from './config.js';
import { makeParts } from './parts.js';
import { rebuild } from './rebuild.js';

// `pnpm --filter @sidestage/retrieval reindex`: what POST /internal/rebuild does, without a running service.
async function reindex(): Promise<void> {
  const config = readConfig(process.env);
  const logger = makeLogger({ service: 'reindex', level: config.LOG_LEVEL });
  const lifecycle = new Lifecycle(logger);
  try {
    const parts = makeParts(config, logger, makeMetrics('reindex'), lifecycle);
    await rebuild({ ...parts, passages: parts.bulkPassages });
  } finally {
    await lifecycle.close();
  }
}

reindex().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
});
