import weaviate, { type WeaviateClient } from 'weaviate-ts-client';

// The package's types describe its CommonJS build, where the default export is one level deeper than in the module Node loads.
const library = weaviate as unknown as typeof weaviate.default;

/** A client for `http://host:8080` or an https address. */
export function connectWeaviate(address: string): WeaviateClient {
  const { protocol, host, pathname } = new URL(address);
  return library.client({ scheme: protocol.replace(':', ''), host: host + pathname.replace(/\/$/, '') });
}

/** Rejects when `work` takes longer. The client cannot cancel a request: its answer is dropped. */
export async function within<T>(deadlineMs: number, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  try {
    return await Promise.race([
      work,
      new Promise<never>((_, reject) => {
        timer = setTimeout(() => reject(new Error(`weaviate gave no answer within ${deadlineMs} ms`)), deadlineMs);
      }),
    ]);
  } finally {
    clearTimeout(timer);
  }
}

/** Whether the server says that the tenant or the class is not there: nothing was put there yet. */
export function isNotThere(error: unknown): boolean {
  return (
    error instanceof Error &&
    /tenant not found|could not find class|failed to get class|no graphql provider|class .*not found|Cannot query field/i.test(
      error.message,
    )
  );
}
