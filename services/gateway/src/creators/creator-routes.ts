import {
  type CreatorView,
  creatorBody,
  creatorPatch,
  ProblemError,
  pageQuery,
  parseOrProblem,
  text,
} from '@sidestage/contracts';
import { route } from '@sidestage/runtime';
import { type CreatorFields, type CreatorRepository, type CreatorRow, SlugTakenError } from '@sidestage/store';
import express, { type Request, type Router } from 'express';
import type { Invalidations } from '../auth/invalidations.js';
import type { Principal } from '../auth/principal.js';
import { principalIfAny, principalOf, principalWithRole } from '../http/identify.js';
import { jsonBody } from '../http/json-body.js';
import type { TenantOf } from '../http/tenant-of.js';
import type { RetrievalClient } from '../search/retrieval-client.js';
import { canManage, canSee, viewerOf } from './access.js';
import { slugsOf } from './slug.js';

export const creatorListQuery = pageQuery.extend({ q: text(0, 200).optional() });
const maxSlugTries = 20;

export interface CreatorRouteOptions {
  creators: CreatorRepository;
  invalidations: Invalidations;
  tenantOf: TenantOf;
  retrieval: RetrievalClient;
  find: CreatorFinder;
}

/** Finds the creator a path names for whoever asks. */
export interface CreatorFinder {
  /** Throws `not_found`: unknown, another tenant's, or private and not theirs. */
  visible(request: Request): Promise<{ tenantId: string; principal: Principal | null; creator: CreatorRow }>;
  /** Throws `unauthenticated`, `not_found` or, for one that may be seen and not changed, `forbidden`. */
  managed(request: Request): Promise<{ tenantId: string; principal: Principal; creator: CreatorRow }>;
}

/** `/api/v1/creators` and `/api/v1/creators/{id or slug}`. */
export function creatorRouter(options: CreatorRouteOptions): Router {
  const { creators, invalidations, tenantOf, find } = options;
  const router = express.Router();

  route(router, '/api/v1/creators', {
    get: async (request, response) => {
      const query = parseOrProblem(creatorListQuery, request.query);
      const principal = principalIfAny(request);
      const tenantId = principal?.tenantId ?? (await tenantOf(request.headers));
      const page = await creators.list(tenantId, { viewer: viewerOf(principal), ...query });
      response.json({ items: page.rows.map(toCreatorView), next_cursor: page.next_cursor });
    },
    post: [
      jsonBody(),
      async (request, response) => {
        const principal = principalWithRole(request, ['creator', 'integrator', 'operator']);
        const { slug, avatar_url, ...body } = parseOrProblem(creatorBody, request.body);
        const fields = { ...body, avatar_url: avatar_url ?? null };
        const creator = await createWithSlug(creators, principal, fields, slug);
        invalidations.publish({ type: 'creator', tenant_id: principal.tenantId });
        response.status(201).location(`/api/v1/creators/${creator.id}`).json(toCreatorView(creator));
      },
    ],
  });

  route(router, '/api/v1/creators/:id', {
    get: async (request, response) => {
      const { creator } = await find.visible(request);
      response.json(toCreatorView(creator));
    },
    patch: [
      jsonBody(),
      async (request, response) => {
        const { tenantId, principal, creator } = await find.managed(request);
        const patch = parseOrProblem(creatorPatch, request.body);
        const changed = await refusingTakenSlug(() => creators.update(tenantId, creator.id, patch, principal.id));
        if (!changed) throw new ProblemError('not_found');
        invalidations.publish({ type: 'creator', tenant_id: tenantId });
        response.json(toCreatorView(changed));
      },
    ],
    delete: async (request, response) => {
      const { tenantId, principal, creator } = await find.managed(request);
      const removed = await creators.remove(tenantId, creator.id, principal.id);
      if (!removed) throw new ProblemError('not_found');
      invalidations.publish({ type: 'creator', tenant_id: tenantId });
      options.retrieval.forget(tenantId, removed.source_ids);
      response.status(204).end();
    },
  });
  return router;
}

async function createWithSlug(
  creators: CreatorRepository,
  principal: Principal,
  fields: Omit<CreatorFields, 'slug'>,
  wanted: string | undefined,
): Promise<CreatorRow> {
  const owner = { tenant_id: principal.tenantId, owner_id: principal.userId, actor: principal.id };
  if (wanted !== undefined) return refusingTakenSlug(() => creators.create({ ...fields, slug: wanted, ...owner }));
  let tries = 0;
  for (const slug of slugsOf(fields.name)) {
    try {
      return await creators.create({ ...fields, slug, ...owner });
    } catch (error) {
      if (!(error instanceof SlugTakenError) || ++tries >= maxSlugTries) throw error;
    }
  }
  throw new ProblemError('conflict');
}

async function refusingTakenSlug<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof SlugTakenError)
      throw new ProblemError('conflict', {
        detail: `The slug ${error.slug} is another creator’s.`,
        errors: [{ path: 'slug', message: 'is taken' }],
      });
    throw error;
  }
}

export function makeCreatorFinder(options: {
  find(tenantId: string, idOrSlug: string): Promise<CreatorRow | null>;
  tenantOf: TenantOf;
}): CreatorFinder {
  async function visible(request: Request) {
    const principal = principalIfAny(request);
    const tenantId = principal?.tenantId ?? (await options.tenantOf(request.headers));
    const creator = await options.find(tenantId, String(request.params.id));
    if (!creator || !canSee(principal, creator))
      throw new ProblemError('not_found', { detail: 'There is no such creator.' });
    return { tenantId, principal, creator };
  }
  return {
    visible,
    async managed(request) {
      const principal = principalOf(request);
      const { tenantId, creator } = await visible(request);
      if (!canManage(principal, creator))
        throw new ProblemError('forbidden', { detail: 'This creator belongs to somebody else.' });
      return { tenantId, principal, creator };
    },
  };
}

export function toCreatorView(row: CreatorRow): CreatorView {
  return {
    id: row.id,
    slug: row.slug,
    name: row.name,
    description: row.description,
    persona: row.persona,
    language: row.language,
    public: row.public,
    avatar_url: row.avatar_url,
    questions: row.questions,
    sources_ready: row.sources_ready,
    created_at: row.created_at.toISOString(),
  };
}
