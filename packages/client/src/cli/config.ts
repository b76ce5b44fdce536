import { z } from 'zod';

const set = z
  .string()
  .optional()
  .transform((value) => value || undefined);

const schema = z.object({
  SIDESTAGE_URL: set,
  SIDESTAGE_TOKEN: set,
  SIDESTAGE_EMAIL: set,
  SIDESTAGE_PASSWORD: set,
  SIDESTAGE_TENANT: set,
  SIDESTAGE_DATA_DIR: z.string().min(1).default('.sidestage'),
});

/** What the command reads from the environment. */
export type Environment = Readonly<z.output<typeof schema>>;

export function readEnvironment(variables: Record<string, string | undefined> = process.env): Environment {
  return Object.freeze(schema.parse(variables));
}
