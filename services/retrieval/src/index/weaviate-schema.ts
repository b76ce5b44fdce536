import { z } from 'zod';

/** Counts up when what is kept of a passage changes: a class of another layout is neither read nor written. */
const layout = 2;

/** The class of an embedding model: vectors of two models never mix. */
export function classNameOf(model: string): string {
  return `Passages${layout}_${plain(model)}`;
}

/** Classes of earlier layouts for this model, which nothing reads any more. */
export function olderClassNames(model: string): string[] {
  return [`Passages_${plain(model)}`];
}

function plain(model: string): string {
  return model.replace(/[^A-Za-z0-9]/g, '_');
}

/**
 * Multi-tenant, one object a passage. Its vector (a mean of all that is known of the passage) and its words find candidates; `pack` holds the
 * vectors the ranking is made of. `lexemes` are PostgreSQL's stems, so that words match here as they do there.
 */
export function classDefinition(name: string): object {
  const field = (property: string) => ({
    name: property,
    dataType: ['text'],
    tokenization: 'field',
    indexFilterable: true,
    indexSearchable: false,
  });
  return {
    class: name,
    multiTenancyConfig: { enabled: true },
    vectorizer: 'none',
    vectorIndexType: 'hnsw',
    vectorIndexConfig: { distance: 'cosine' },
    invertedIndexConfig: { bm25: { k1: 1.2, b: 0.75 }, stopwords: { preset: 'none' } },
    properties: [
      ...['creator_id', 'source_id', 'set_id'].map(field),
      { ...field('pack'), indexFilterable: false },
      { name: 'first', dataType: ['boolean'], indexFilterable: true },
      {
        name: 'lexemes',
        dataType: ['text'],
        tokenization: 'whitespace',
        indexFilterable: false,
        indexSearchable: true,
      },
    ],
  };
}

const found = z.object({
  source_id: z.string(),
  lexemes: z.string().nullish(),
  pack: z.string(),
  _additional: z.object({ id: z.string() }),
});
export type FoundObject = z.infer<typeof found>;

export const setRow = z.object({ creator_id: z.string(), source_id: z.string(), set_id: z.string() });
/** The passages of one version of a source; named by the first of them. */
export type StoredSet = z.infer<typeof setRow>;

/** The rows of a GraphQL `Get` of one class. */
export function rowsOf<T extends z.ZodType>(answer: unknown, className: string, row: T): z.infer<T>[] {
  const parsed = z.object({ data: z.object({ Get: z.record(z.string(), z.array(row).nullable()) }) }).parse(answer);
  return parsed.data.Get[className] ?? [];
}
export const foundObject = found;
