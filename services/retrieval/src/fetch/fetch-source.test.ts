import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { ParseError } from '../parse/parsed.js';
import { FetchFailedError, fetchSource } from './fetch-source.js';
import { isPublicAddress } from './public-address.js';

type Answer = (request: IncomingMessage, response: ServerResponse) => void;

const answers = new Map<string, Answer>();
const asked: string[] = [];
const server = createServer((request, response) => {
  asked.push(request.url ?? '');
  const answer = answers.get(request.url ?? '');
  if (answer) answer(request, response);
  else response.writeHead(404).end();
});
let host = '';

beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => new Promise((resolve) => server.close(resolve)));

function serve(path: string, type: string, body: string | Buffer, status = 200): string {
  answers.set(path, (_, response) => response.writeHead(status, type ? { 'Content-Type': type } : {}).end(body));
  return `http://${host}${path}`;
}
const get = (url: string, settings: { allowedHosts?: string[]; deadlineMs?: number } = {}) =>
  fetchSource({ url, format: 'html' }, { allowedHosts: [host], ...settings });

describe('an address is fetched', () => {
  test.each([
    ['a page', '/page', 'text/html; charset=utf-8', '<p>Words.</p>', 'html'],
    ['captions by their type', '/c', 'text/vtt', 'WEBVTT\n', 'vtt'],
    ['captions by their first bytes', '/c2', 'text/plain', 'WEBVTT\n\n', 'vtt'],
    ['captions by their name', '/talk.srt', 'application/octet-stream', '1\n', 'srt'],
    ['Markdown by its name', '/notes.md', 'text/plain', '# Notes', 'markdown'],
    ['plain text', '/notes', 'text/plain', 'Notes', 'text'],
    ['a page without a type', '/bare', '', '<!doctype html><p>Words', 'html'],
  ])('as what it is: %s', async (_, path, type, body, format) => {
    expect(await get(serve(path, type, body))).toEqual({ format, content: body });
  });

  test('a PDF keeps its bytes, whatever its type says', async () => {
    const bytes = Buffer.from('%PDF-1.7\n\xff\xfe', 'latin1');
    const { format, content } = await get(serve('/file', 'application/octet-stream', bytes));
    expect(format).toBe('pdf');
    expect(Buffer.from(content, 'base64').equals(bytes)).toBe(true);
  });

  test('in the character set its header or its page names', async () => {
    const latin = Buffer.from('caf\xe9', 'latin1');
    expect((await get(serve('/l', 'text/plain; charset=ISO-8859-1', latin))).content).toBe('café');
    const page = Buffer.concat([Buffer.from('<meta charset="windows-1252">'), latin]);
    expect((await get(serve('/m', 'text/html', page))).content).toContain('café');
  });

  test('through redirects, the last one counts', async () => {
    serve('/end.md', 'text/plain', '# End');
    for (const [path, to] of [
      ['/r1', '/r2'],
      ['/r2', `http://${host}/end.md`],
    ] as const)
      answers.set(path, (_, response) => response.writeHead(302, { Location: to }).end());
    expect(await get(`http://${host}/r1`)).toEqual({ format: 'markdown', content: '# End' });
  });
});

describe('an address that leads inside is refused', () => {
  const refuse = async (url: string) => {
    const before = asked.length;
    await expect(get(url, { allowedHosts: [] })).rejects.toThrow(/is not a public address/);
    expect(asked).toHaveLength(before);
  };

  test.each([
    ['loopback', 'http://127.0.0.1:1/'],
    ['loopback in other figures', 'http://2130706433/'],
    ['a private network', 'http://10.1.2.3/'],
    ['the metadata service of a cloud', 'http://169.254.169.254/latest/meta-data'],
    ['IPv6 loopback', 'http://[::1]/'],
    ['IPv4 in IPv6', 'http://[::ffff:127.0.0.1]/'],
    ['a unique local network', 'http://[fd00::1]/'],
    ['this host', 'http://0.0.0.0/'],
  ])('%s', (_, url) => refuse(url));

  test('also by name', () => refuse(`http://localhost:${host.split(':')[1]}/page`));

  test('also when a public page redirects there', async () => {
    answers.set('/inside', (_, response) => response.writeHead(302, { Location: 'http://127.0.0.1:1/secret' }).end());
    await expect(get(`http://${host}/inside`)).rejects.toThrow(
      new ParseError('127.0.0.1:1 is not a public address: upload the file instead'),
    );
  });

  test('also when it redirects to what is no web address', async () => {
    answers.set('/file', (_, response) => response.writeHead(302, { Location: 'file:///etc/passwd' }).end());
    await expect(get(`http://${host}/file`)).rejects.toThrow(/no web address/);
  });

  test('addresses of every special network are told from public ones', () => {
    const inside =
      '10.0.0.1 100.64.0.1 127.9.9.9 169.254.0.1 172.16.0.1 172.31.255.255 192.168.1.1 198.18.0.1 224.0.0.1 255.255.255.255 :: ::1 fe80::1 fc00::1 ff02::1 64:ff9b::a00:1 2002:a00:1:: 2001:db8::1';
    const outside = '1.1.1.1 172.32.0.1 100.128.0.1 192.167.0.1 2606:4700::1111 2a00:1450::1';
    expect(inside.split(' ').filter(isPublicAddress)).toEqual([]);
    expect(outside.split(' ').filter((address) => !isPublicAddress(address))).toEqual([]);
    expect(isPublicAddress('localhost')).toBe(false);
  });
});

describe('an address that cannot be had', () => {
  test.each([404, 401, 403, 410])('for good (%d) is said in words', async (status) => {
    await expect(get(serve(`/${status}`, 'text/plain', 'no', status))).rejects.toThrow(
      new ParseError(`${host} answered ${status}: the address must be readable without signing in`),
    );
  });

  test.each([429, 500, 503])('this time (%d) is tried again', async (status) => {
    await expect(get(serve(`/${status}`, 'text/plain', 'no', status))).rejects.toThrow(FetchFailedError);
  });

  test('because nobody listens is tried again', async () => {
    await expect(get('http://127.0.0.1:9/', { allowedHosts: ['127.0.0.1:9'] })).rejects.toThrow(FetchFailedError);
  });

  test('because it never ends, or is larger than 10 MiB, is left', async () => {
    answers.set('/slow', (_, response) => response.writeHead(200, { 'Content-Type': 'text/plain' }).write('a'));
    await expect(get(`http://${host}/slow`, { deadlineMs: 200 })).rejects.toThrow(/did not answer in time/);
    const url = serve('/big', 'text/plain', 'x'.repeat(10 * 1024 * 1024 + 1));
    await expect(get(url)).rejects.toThrow(/larger than 10 MiB/);
  });

  test('because it is pictures or goes in circles is said', async () => {
    await expect(get(serve('/i', 'image/png', 'x'))).rejects.toThrow(/answers with image\/png/);
    answers.set('/circle', (_, response) => response.writeHead(301, { Location: '/circle' }).end());
    await expect(get(`http://${host}/circle`)).rejects.toThrow(/redirects more than 5 times/);
  });
});
