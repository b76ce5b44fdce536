import { runCli } from './cli.js';
import { readEnvironment } from './config.js';
import { makeStatusLine } from './status-line.js';

const status = makeStatusLine(process.stderr);

process.exitCode = await runCli(process.argv.slice(2), {
  environment: readEnvironment(),
  folder: process.cwd(),
  print: (text) => process.stdout.write(`${text}\n`),
  warn: (text) => {
    status(null);
    process.stderr.write(`${text}\n`);
  },
  status,
});
