import { migrationUrl } from './config.js';
import { migrate } from './migrate.js';

// What compose's `migrate` container runs.
migrate(migrationUrl(process.env)).then(
  (ran) => process.stdout.write(ran.length > 0 ? `migrated: ${ran.join(', ')}\n` : 'the schema is up to date\n'),
  (error: unknown) => {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    process.exit(1);
  },
);
