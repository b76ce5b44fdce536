import type { RequestHandler } from 'express';
import sirv from 'sirv';

/**
 * The built files, in their compressed form where the browser takes it (the build writes .br and .gz beside each). Files under /assets carry
 * a hash in their name and are kept for good; all else is asked for again. Any other address without a file's ending is the page.
 */
export function servePage(folder: string): RequestHandler {
  return sirv(folder, {
    single: true,
    brotli: true,
    gzip: true,
    etag: true,
    setHeaders(response, path) {
      const forGood = path.startsWith('/assets/');
      response.setHeader('Cache-Control', forGood ? 'public, max-age=31536000, immutable' : 'no-cache');
    },
  });
}
