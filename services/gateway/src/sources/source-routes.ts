import { ProblemError, pageQuery, parseOrProblem, type SourceView } from '@sidestage/contracts';
import { isUuid, route, traceOf } from '@sidestage/runtime';
import type { SourceRepository, SourceRow } from '@sidestage/store';
import express, { type Request, type Router } from 'express';
import type { Invalidations } from '../auth/invalidations.js';
import { canSee } from '../creators/access.js';
import type { CreatorLookup } from '../creators/creator-lookup.js';
import type { CreatorFinder } from '../creators/creator-routes.js';
import { principalIfAny } from '../http/identify.js';
import type { TenantOf } from '../http/tenant-of.js';
import type { RetrievalClient } from '../search/retrieval-client.js';
import type { IngestQueue } from './ingest-queue.js';
import { readReplacement, readSource, receiveUpload } from './upload.js';

export interface SourceRouteOptions {
  sources: SourceRepository;
  creators: CreatorLookup;
  find: CreatorFinder;
  tenantOf: TenantOf;
  ingest: IngestQueue;
  retrieval: RetrievalClient;
  invalidations: Invalidations;
}

const nothingToFetch = () => {
  const message = 'is missing, and the source has no url to fetch';
  return new ProblemError('validation_failed', {
    detail: `content: ${message}`,
    errors: [{ path: 'content', message }],
  });
};
const unknownSource = () => new ProblemError('not_found', { detail: 'There is no such source.' });

/** `/api/v1/creators/{id}/sources` and `/api/v1/sources/{id}`. */
export function sourceRouter(options: SourceRouteOptions): Router {
  const { sources, find } = options;
  const router = express.Router();

  async function offer(row: SourceRow, request: Request): Promise<void> {
    await options.ingest.offer({
      tenant_id: row.tenant_id,
      source_id: row.id,
      content_version: row.content_version,
      request_id: traceOf(request).requestId,
    });
  }

  route(router, '/api/v1/creators/:id/sources', {
    get: async (request, response) => {
      const query = parseOrProblem(pageQuery, request.query);
      const { tenantId, creator } = await find.visible(request);
      const page = await sources.list(tenantId, creator.id, query);
      response.json({ items: page.rows.map(toSourceView), next_cursor: page.next_cursor });
    },
    post: [
      // Who may not feed this creator need not send 10 MiB first.
      async (request, _response, next) => {
        await find.managed(request);
        next();
      },
      receiveUpload,
      async (request, response) => {
        const { tenantId, principal, creator } = await find.managed(request);
        const { url, published_at, format, content, ...body } = readSource(request);
        const row = await sources.create({
          ...body,
          url: url ?? null,
          published_at: published_at ?? null,
          // What an address answers with says its format once it is fetched; most are pages.
          format: format ?? 'html',
          content: content ?? null,
          tenant_id: tenantId,
          creator_id: creator.id,
          actor: principal.id,
        });
        if (!row) throw new ProblemError('not_found', { detail: 'There is no such creator.' });
        await offer(row, request);
        response.status(202).location(`/api/v1/sources/${row.id}`).json(toSourceView(row));
      },
    ],
  });

  route(router, '/api/v1/creators/:id/sources/:source_id', {
    get: async (request, response) => {
      const { tenantId, creator } = await find.visible(request);
      const row = await findSource(tenantId, String(request.params.source_id));
      if (row.creator_id !== creator.id) throw unknownSource();
      response.json(toSourceView(row));
    },
    put: [
      async (request, _response, next) => {
        const { tenantId, creator } = await find.managed(request);
        const row = await findSource(tenantId, String(request.params.source_id));
        next(row.creator_id === creator.id ? undefined : unknownSource());
      },
      receiveUpload,
      async (request, response) => {
        const { tenantId, principal, creator } = await find.managed(request);
        const { content = null, ...fields } = readReplacement(request);
        const { id, url } = await findSource(tenantId, String(request.params.source_id));
        if (content === null && !fields.url && url === null) throw nothingToFetch();
        const row = await sources.replace(tenantId, creator.id, id, { ...fields, content, actor: principal.id });
        if (!row) throw unknownSource();
        await offer(row, request);
        response.status(202).location(`/api/v1/sources/${row.id}`).json(toSourceView(row));
      },
    ],
    delete: async (request, response) => {
      const { tenantId, principal, creator } = await find.managed(request);
      const id = String(request.params.source_id);
      if (!isUuid(id) || !(await sources.remove(tenantId, creator.id, id, principal.id))) throw unknownSource();
      options.invalidations.publish({ type: 'creator', tenant_id: tenantId });
      options.retrieval.forget(tenantId, [id]);
      response.status(204).end();
    },
  });

  async function findSource(tenantId: string, id: string): Promise<SourceRow> {
    const row = isUuid(id) ? await sources.find(tenantId, id) : null;
    if (!row) throw unknownSource();
    return row;
  }

  /** A source by its id alone: readable where its creator is. */
  async function visibleSource(request: Request): Promise<SourceRow> {
    const principal = principalIfAny(request);
    const tenantId = principal?.tenantId ?? (await options.tenantOf(request.headers));
    const row = await findSource(tenantId, String(request.params.id));
    const creator = await options.creators.find(tenantId, row.creator_id);
    if (!creator || !canSee(principal, creator)) throw unknownSource();
    return row;
  }

  route(router, '/api/v1/sources/:id', {
    get: async (request, response) => {
      response.json(toSourceView(await visibleSource(request)));
    },
  });
  route(router, '/api/v1/sources/:id/transcript', {
    get: async (request, response) => {
      const row = await visibleSource(request);
      const segments = await sources.segments(row.tenant_id, row.id);
      response.json({ source_id: row.id, title: row.title, segments });
    },
  });
  return router;
}

function toSourceView(row: SourceRow): SourceView {
  return {
    id: row.id,
    creator_id: row.creator_id,
    title: row.title,
    kind: row.kind,
    url: row.url,
    published_at: row.published_at?.toISOString() ?? null,
    format: row.format,
    status: row.status,
    progress: row.progress,
    passages: row.passages,
    error: row.error,
    content_sha256: row.content_sha256,
    created_at: row.created_at.toISOString(),
  };
}
