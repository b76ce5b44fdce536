import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { creatorBody, type SourceBody, sourceUploadFields } from '@sidestage/contracts';
import { z } from 'zod';
import { LaunchError } from '../launch-error.js';

const sourceEntry = sourceUploadFields
  .required({ title: true, kind: true, format: true })
  .extend({ file: z.string().min(1) });

/** A demo creator as the API takes it, and its sources with the files their content is in. */
export interface DemoCreator {
  body: z.input<typeof creatorBody> & { slug: string };
  sources: SourceBody[];
}

function readJson<T>(file: string, schema: z.ZodType<T>): T {
  const parsed = schema.safeParse(JSON.parse(readFileSync(file, 'utf8')));
  if (parsed.success) return parsed.data;
  throw new LaunchError(
    'The demo cannot be read',
    `${file}: ${z.prettifyError(parsed.error)}`,
    `git checkout -- ${file}`,
  );
}

/** Reads `<folder>/creators/<slug>/creator.json`, `sources.json` and the files it names; sorted by slug. */
export function readDemoMaterial(folder: string): DemoCreator[] {
  const base = join(folder, 'creators');
  if (!existsSync(base)) return [];
  return readdirSync(base, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && existsSync(join(base, entry.name, 'creator.json')))
    .map((entry) => entry.name)
    .sort()
    .map((slug) => {
      const home = join(base, slug);
      const body = readJson(join(home, 'creator.json'), creatorBody);
      const entries = readJson(join(home, 'sources.json'), z.array(sourceEntry).min(1));
      const sources = entries.map(({ file, ...rest }) => ({
        ...rest,
        content: readFileSync(join(home, file), 'utf8'),
      }));
      return { body: { ...body, slug: body.slug ?? slug }, sources };
    });
}
