import { privateOnly, route } from '@sidestage/runtime';
import express, { type Router } from 'express';
import { makeDocument } from './document.js';
import { docsPage, docsScript, docsStyle, errorsPage } from './page.js';

/** /openapi.json for everybody, /docs for loopback and private addresses. */
export function documentRouter(): Router {
  const router = express.Router();
  const document = makeDocument();
  route(router, '/openapi.json', {
    get: (_request, response) => {
      response.json(document);
    },
  });
  const policy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'";
  const page = (type: string, text: string) => [
    privateOnly,
    (_request: express.Request, response: express.Response) => {
      response.set('Content-Security-Policy', policy).type(type).send(text);
    },
  ];
  route(router, '/docs', { get: page('html', docsPage) });
  // Where the `type` of a problem leads: for everybody.
  route(router, '/docs/errors', { get: page('html', errorsPage).slice(1) });
  route(router, '/docs/docs.js', { get: page('js', docsScript) });
  route(router, '/docs/docs.css', { get: page('css', docsStyle) });
  return router;
}
