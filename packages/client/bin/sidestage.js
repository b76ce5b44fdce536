#!/usr/bin/env node
// A file that is there before anything is built: package managers link commands when they install.
import { existsSync } from 'node:fs';

const main = new URL('../dist/cli/main.js', import.meta.url);
if (existsSync(main)) await import(main.href);
else {
  console.error(
    'sidestage: not built yet. Run `npm start` once, or `npx tsc -b packages/client`, in the project’s folder.',
  );
  process.exitCode = 1;
}
