import { randomBytes } from 'node:crypto';
import { chmodSync, existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';

/** Writes a file only we can read, whole or not at all. */
export function writePrivateFile(file: string, text: string): void {
  const partial = `${file}.${process.pid}`;
  writeFileSync(partial, text, { mode: 0o600 });
  chmodSync(partial, 0o600);
  renameSync(partial, file);
}

/** Gives what `file` holds where it exists and fits `schema`, else undefined. */
export function readJsonFile<T>(file: string, schema: z.ZodType<T>): T | undefined {
  if (!existsSync(file)) return undefined;
  try {
    return schema.safeParse(JSON.parse(readFileSync(file, 'utf8'))).data;
  } catch {
    return undefined;
  }
}

const secretsSchema = z.object({ jwt_secret_key: z.string().min(32), retrieval_token: z.string().min(32) });

/** Secrets of this installation, made at the first start and kept in the data folder. */
export function readSecrets(dataDir: string): z.infer<typeof secretsSchema> {
  const file = join(dataDir, 'secrets.json');
  const known = readJsonFile(file, secretsSchema);
  if (known) return known;
  const made = {
    jwt_secret_key: randomBytes(48).toString('base64url'),
    retrieval_token: randomBytes(32).toString('base64url'),
  };
  writePrivateFile(file, `${JSON.stringify(made, null, 2)}\n`);
  return made;
}
