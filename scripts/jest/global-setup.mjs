import { existsSync } from 'node:fs';
import { bundleServices } from '../bundle.mjs';

const built = (name) => new URL(`../../packages/${name}/dist/index.js`, import.meta.url);

/** One PostgreSQL a run, its template migrated once; test files copy the template. */
export default async function globalSetup() {
  if (!existsSync(built('testkit')))
    throw new Error('packages/testkit is not built: pnpm exec tsc -b packages/testkit');
  // Fleets run them: they must be of what was compiled last.
  await bundleServices();
  const { startTestParts } = await import(built('testkit').href);
  const store = existsSync(built('store')) ? await import(built('store').href) : {};
  if (!store.migrate) console.warn('packages/store is not built: test databases cannot be made');
  globalThis.sidestageTestParts = await startTestParts(store.migrate ? { migrate: store.migrate } : {});
}
