import { type Passage, parseOrProblem, type RetrievedPassage, searchBody } from '@sidestage/contracts';
import { route, traceOf } from '@sidestage/runtime';
import express, { type Router } from 'express';
import type { CreatorFinder } from '../creators/creator-routes.js';
import { principalOf } from '../http/identify.js';
import { jsonBody } from '../http/json-body.js';
import type { RetrievalClient } from './retrieval-client.js';

/** `POST /api/v1/creators/{id}/search`. */
export function searchRouter(options: { find: CreatorFinder; retrieval: RetrievalClient }): Router {
  const router = express.Router();
  route(router, '/api/v1/creators/:id/search', {
    post: [
      jsonBody(),
      async (request, response) => {
        principalOf(request);
        const { tenantId, creator } = await options.find.visible(request);
        const { query, limit } = parseOrProblem(searchBody, request.body);
        const found = await options.retrieval.search(
          { tenant_id: tenantId, creator_id: creator.id, query, limit },
          traceOf(request),
        );
        response.json({ passages: found.map(toPassage) });
      },
    ],
  });
  return router;
}

/** Without what only the worker needs. */
function toPassage(passage: RetrievedPassage): Passage {
  const { passage_id, source_id, title, url, text, start_seconds, end_seconds, score } = passage;
  return { passage_id, source_id, title, url, text, start_seconds, end_seconds, score };
}
