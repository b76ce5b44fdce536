import express from 'express';
import { privateOnly } from './http.js';
import { closeServer, listen, makeHttpServer } from './http-server.js';

describe('routes for the inside', () => {
  it('answer a scraper of this network, and no one a proxy forwards for from outside', async () => {
    const app = express();
    app.get('/metrics', privateOnly, (_request, response) => response.sendStatus(200));
    app.use(((_error, _request, response, _next) => response.sendStatus(404)) as express.ErrorRequestHandler);
    const server = makeHttpServer(app);
    const port = await listen(server, 0, '127.0.0.1');
    const statusFor = async (forwardedFor?: string) =>
      (
        await fetch(`http://127.0.0.1:${port}/metrics`, {
          headers: forwardedFor === undefined ? {} : { 'X-Forwarded-For': forwardedFor },
        })
      ).status;
    try {
      expect(await statusFor()).toBe(200);
      expect(await statusFor('10.1.2.3')).toBe(200);
      expect(await statusFor('203.0.113.9')).toBe(404);
      expect(await statusFor('127.0.0.1, 203.0.113.9')).toBe(404);
      expect(await statusFor('203.0.113.9, 10.0.0.1')).toBe(404);
    } finally {
      await closeServer(server, 100);
    }
  });
});
