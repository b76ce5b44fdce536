import type { WeaviateClient, WeaviateObject, WhereFilter } from 'weaviate-ts-client';
import { z } from 'zod';
import { contextVectors } from './contexts.js';
import type { IndexedPassage, IndexedSource } from './passage-index.js';
import { type PassageVectors, packPassage } from './passage-pack.js';
import { isNotThere, within } from './weaviate-connection.js';
import { classDefinition, rowsOf, type StoredSet, setRow } from './weaviate-schema.js';

/** Objects of one import request. */
const batchSize = 200;
/** Longest time one writing request may take: ingestion waits, no fan does. */
const writeDeadlineMs = 30_000;
/** Sets that are read at once; the server's own limit of a query is 10,000. */
const setsAtOnce = 10_000;

const importResult = z.array(
  z.object({
    result: z
      .object({ errors: z.object({ error: z.array(z.object({ message: z.string() })).nullish() }).nullish() })
      .nullish(),
  }),
);
const deleteResult = z.object({ results: z.object({ matches: z.number(), successful: z.number() }) });

/** What is kept in Weaviate, class and tenants made when first needed. */
export function makeWeaviateStore(client: WeaviateClient, className: string, olderClasses: readonly string[] = []) {
  /** Asked each time: the server may have lost its data since, and an import would make a class of its own guess. */
  async function ensureClass(): Promise<void> {
    if (await within(writeDeadlineMs, client.schema.exists(className))) return;
    // Two processes may make it at once: the second is told that it is there.
    await within(writeDeadlineMs, client.schema.classCreator().withClass(classDefinition(className)).do()).catch(
      (error: unknown) => {
        if (!(error instanceof Error && /already (exists|in use)/i.test(error.message))) throw error;
      },
    );
  }

  async function ensureTenant(tenant: string): Promise<void> {
    await ensureClass();
    await within(writeDeadlineMs, client.schema.tenantsCreator(className, [{ name: tenant }]).do());
  }

  /** The complete sets of a tenant, or of one creator of it. */
  async function readSets(tenant: string, creatorId?: string): Promise<StoredSet[]> {
    const isFirst: WhereFilter = { path: ['first'], operator: 'Equal', valueBoolean: true };
    const query = client.graphql
      .get()
      .withClassName(className)
      .withTenant(tenant)
      .withWhere(
        creatorId === undefined ? isFirst : { operator: 'And', operands: [equal('creator_id', creatorId), isFirst] },
      )
      .withFields('creator_id source_id set_id')
      .withLimit(setsAtOnce);
    try {
      return rowsOf(await within(writeDeadlineMs, query.do()), className, setRow);
    } catch (error) {
      if (isNotThere(error)) return [];
      throw error;
    }
  }

  async function importObjects(objects: WeaviateObject[]): Promise<void> {
    for (let from = 0; from < objects.length; from += batchSize) {
      const batch = client.batch.objectsBatcher().withObjects(...objects.slice(from, from + batchSize));
      const results = importResult.parse(await within(writeDeadlineMs, batch.do()));
      const message = results.flatMap(({ result }) => result?.errors?.error ?? [])[0]?.message;
      if (message) throw new Error(`weaviate refused an object: ${message}`);
    }
  }

  /** One request removes at most the server's limit of a query: asked again until nothing matches. */
  async function removeWhere(tenant: string, where: WhereFilter): Promise<void> {
    for (let left = true; left; ) {
      const request = client.batch.objectsBatchDeleter().withClassName(className).withTenant(tenant).withWhere(where);
      const answer = await within(writeDeadlineMs, request.do()).catch((error: unknown) => {
        if (isNotThere(error)) return null;
        throw error;
      });
      const results = answer === null ? null : deleteResult.parse(answer).results;
      left = results !== null && results.matches > results.successful && results.successful > 0;
    }
  }

  return {
    /** Writes the passages, then removes what an earlier version of the source left. */
    async put(source: IndexedSource): Promise<void> {
      const setId = source.set_id;
      if (source.passages.length === 0 || source.passages.some(({ whole }) => whole.length === 0)) return;
      await ensureTenant(source.tenant_id);
      // The object that stands for the set comes last: a set cut short is not taken for whole.
      await importObjects(objectsOf(className, source).reverse());
      await removeWhere(source.tenant_id, {
        operator: 'And',
        operands: [equal('source_id', source.source_id), { path: ['set_id'], operator: 'NotEqual', valueText: setId }],
      });
    },

    remove: (tenant: string, sourceId: string) => removeWhere(tenant, equal('source_id', sourceId)),
    removeCreator: (tenant: string, creatorId: string) => removeWhere(tenant, equal('creator_id', creatorId)),

    async removeAll(): Promise<void> {
      if (await within(writeDeadlineMs, client.schema.exists(className))) {
        await within(writeDeadlineMs, client.schema.classDeleter().withClassName(className).do());
      }
    },

    /** Classes of earlier layouts go once this one holds everything. */
    async removeOlder(): Promise<void> {
      for (const name of olderClasses) {
        if (await within(writeDeadlineMs, client.schema.exists(name)))
          await within(writeDeadlineMs, client.schema.classDeleter().withClassName(name).do());
      }
    },

    /** Every tenant that has something here. */
    async tenants(): Promise<string[]> {
      await ensureClass();
      const all = await within(writeDeadlineMs, client.schema.tenantsGetter(className).do());
      return all.flatMap(({ name }) => name ?? []);
    },

    sets: readSets,

    async removeTenant(tenant: string): Promise<void> {
      await within(writeDeadlineMs, client.schema.tenantsDeleter(className, [tenant]).do());
    },

    /** False while it starts. Rejects when it cannot be reached. */
    ready: () => client.misc.readyChecker().do(),
  };
}
export type WeaviateStore = ReturnType<typeof makeWeaviateStore>;

export function equal(path: string, valueText: string): WhereFilter {
  return { path: [path], operator: 'Equal', valueText };
}

/** Ids are the passages': writing a set twice is writing it once. */
function objectsOf(className: string, source: IndexedSource): WeaviateObject[] {
  const contexts = contextVectors(source.passages.map(({ whole }) => whole));
  return source.passages.map((passage, at) => {
    const vectors = { whole: passage.whole, context: contexts[at] ?? passage.whole, small: passage.small };
    return {
      class: className,
      tenant: source.tenant_id,
      id: passage.id,
      vector: [...candidateVector(vectors)],
      properties: {
        creator_id: source.creator_id,
        source_id: source.source_id,
        set_id: source.set_id,
        first: at === 0,
        lexemes: wordsOf(passage),
        pack: packPassage(vectors),
      },
    };
  });
}

/** The mean of all widths: among the hundred nearest to it are those that rank first (measured: the same five as over all passages). */
function candidateVector({ whole, context, small }: PassageVectors): Float32Array {
  return whole.map((value, column) => {
    const fine = small.reduce((sum, vector) => sum + (vector[column] ?? 0), 0) / (small.length || 1);
    return value + (context[column] ?? 0) + (small.length > 0 ? fine : value);
  });
}

function wordsOf({ lexemes }: IndexedPassage): string {
  return lexemes.flatMap(({ lexeme, count }) => Array<string>(count).fill(lexeme)).join(' ');
}
