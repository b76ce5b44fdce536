import { ProblemError } from '@sidestage/contracts';
import type { RequestHandler, Router } from 'express';

type Method = 'get' | 'post' | 'put' | 'patch' | 'delete';

/** Registers the methods of one path; OPTIONS names them, any other is 405 with Allow. */
export function route(
  router: Router,
  path: string,
  methods: Partial<Record<Method, RequestHandler[] | RequestHandler>>,
): void {
  const at = router.route(path);
  for (const [method, handlers] of Object.entries(methods) as [Method, RequestHandler[] | RequestHandler][]) {
    at[method](...[handlers].flat());
  }
  const allowed = Object.keys(methods).map((method) => method.toUpperCase());
  if (allowed.includes('GET')) allowed.push('HEAD');
  allowed.push('OPTIONS');
  const allow = allowed.join(', ');
  at.options((_request, response) => {
    response.status(204).set('Allow', allow).end();
  });
  at.all((request, _response, next) => {
    next(
      new ProblemError('method_not_allowed', {
        detail: `${request.method} is not allowed here; ${allow} are.`,
        headers: { Allow: allow },
      }),
    );
  });
}
