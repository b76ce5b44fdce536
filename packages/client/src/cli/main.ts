import { runCli } from './cli.js';
import { readEnvironment } from './config.js';

process.exitCode = await runCli(process.argv.slice(2), {
  environment: readEnvironment(),
  folder: process.cwd(),
  print: (text) => process.stdout.write(`${text}\n`),
  warn: (text) => process.stderr.write(`${text}\n`),
});
