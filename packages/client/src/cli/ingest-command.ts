import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { creatorSchema, pageOf, type SourceView, sourceKinds, sourceSchema } from '@sidestage/contracts';
import { printable } from './columns.js';
import type { Command, CommandContext } from './command.js';
import { type Gateway, RefusedError } from './gateway.js';
import { findFiles, readContent, type SourceFile } from './ingest/files.js';
import { duration, makePace, progressLine, shareDone, type Weighed } from './ingest/progress.js';
import { type ExitCode, exitCodes, usageError } from './surroundings.js';

/** Files on their way at once. */
const uploadsAtOnce = 4;
const pollMs = 1_500;

interface Ingested extends Weighed {
  file: SourceFile;
  source: SourceView | null;
  /** Why it was refused. */
  refused: string | null;
  /** It was there already, word for word. */
  unchanged: boolean;
}

async function run(context: CommandContext): Promise<ExitCode> {
  const { folder, baseUrl, kind, creatorName } = await readLine(context);
  const { files, skipped } = await findFiles(folder, baseUrl);
  for (const { path, why } of skipped) context.warn(`left out: ${printable(path)}: ${why}`);
  if (files.length === 0)
    throw usageError(`there is no file in ${folder} that can be a source (srt, vtt, json3, md, txt, html, pdf).`);
  const gateway = await context.gateway();
  const creator = await gateway.call('GET', `/api/v1/creators/${encodeURIComponent(creatorName)}`, creatorSchema);
  const path = `/api/v1/creators/${creator.id}/sources`;
  const known = await listSources(gateway, path);
  const all: Ingested[] = files.map((file) => ({
    file,
    bytes: file.bytes,
    source: null,
    refused: null,
    unchanged: false,
  }));
  const startedAt = performance.now();
  const report = makeReporter(context, all);
  await upload(gateway, path, { all, known, kind, report });
  if (context.flags['no-wait'] !== true) await follow(gateway, path, all, report);
  context.status(null);
  return summarise(context, all, `${creator.name}`, performance.now() - startedAt);
}

async function readLine({ words, flags, folder: here }: CommandContext) {
  const [creatorName, given, ...more] = words;
  if (creatorName === undefined || given === undefined || more.length > 0)
    throw usageError('ingest takes a creator (id or slug) and a folder. See sidestage ingest --help.');
  const folder = resolve(here, given);
  const isFolder = await stat(folder).then(
    (found) => found.isDirectory(),
    () => false,
  );
  if (!isFolder) throw usageError(`${folder} is no folder.`);
  const baseUrl = typeof flags['base-url'] === 'string' ? flags['base-url'] : null;
  if (baseUrl !== null && !/^https?:\/\/[^/]/.test(baseUrl))
    throw usageError(`--base-url must be an http or https address, not "${baseUrl}".`);
  const kind = sourceKinds.find((each) => each === flags.kind);
  if (flags.kind !== undefined && kind === undefined)
    throw usageError(`--kind must be one of ${sourceKinds.join(', ')}, not "${flags.kind}".`);
  return { creatorName, folder, baseUrl, kind };
}

async function listSources(gateway: Gateway, path: string): Promise<SourceView[]> {
  const sources: SourceView[] = [];
  for (let cursor: string | null = ''; cursor !== null; ) {
    const query: string = cursor === '' ? '' : `&cursor=${encodeURIComponent(cursor)}`;
    const page: { items: SourceView[]; next_cursor: string | null } = await gateway.call(
      'GET',
      `${path}?limit=100${query}`,
      pageOf(sourceSchema),
    );
    sources.push(...page.items);
    cursor = page.next_cursor;
  }
  return sources;
}

interface Uploading {
  all: Ingested[];
  known: readonly SourceView[];
  kind: SourceView['kind'] | undefined;
  report: () => void;
}

/** Sends what is new or has changed. A file that is refused does not keep the others back. */
async function upload(gateway: Gateway, path: string, { all, known, kind, report }: Uploading): Promise<void> {
  const waiting = [...all];
  const send = async () => {
    for (let next = waiting.shift(); next; next = waiting.shift()) {
      const { title, url } = next.file;
      const there = known.find((source) => source.title === title && (url === null || source.url === url));
      try {
        await sendOne(gateway, path, next, { there, kind });
      } catch (error) {
        if (!(error instanceof RefusedError)) throw error;
        next.refused = error.message;
      }
      report();
    }
  };
  await Promise.all(Array.from({ length: uploadsAtOnce }, send));
}

async function sendOne(
  gateway: Gateway,
  path: string,
  item: Ingested,
  { there, kind }: { there: SourceView | undefined; kind: SourceView['kind'] | undefined },
): Promise<void> {
  const { bytes, sha256 } = await readContent(item.file);
  if (there && there.content_sha256 === sha256 && there.status !== 'failed') {
    item.source = there;
    item.unchanged = true;
    return;
  }
  const { title, url, format } = item.file;
  const fields = { title, format, ...(url !== null && { url }), ...(kind && { kind }) };
  const form = new FormData();
  for (const [name, value] of Object.entries(fields)) form.set(name, value);
  form.set('file', new Blob([bytes]), item.file.path.split('/').at(-1) ?? 'file');
  item.source = there
    ? await gateway.call('PUT', `${path}/${there.id}`, sourceSchema, form)
    : await gateway.call('POST', path, sourceSchema, form);
}

/** Until each is ready or failed. */
async function follow(gateway: Gateway, path: string, all: Ingested[], report: () => void): Promise<void> {
  const isOpen = ({ source }: Ingested) => source !== null && source.status !== 'ready' && source.status !== 'failed';
  while (all.some(isOpen)) {
    await sleep(pollMs);
    const now = new Map((await listSources(gateway, path)).map((source) => [source.id, source]));
    for (const item of all) {
      if (!isOpen(item) || item.source === null) continue;
      const found = now.get(item.source.id);
      item.source = found ?? null;
      if (!found) item.refused = 'it was deleted meanwhile';
    }
    report();
  }
}

/** One line that is written over, or where the output is no terminal a line now and then. */
function makeReporter({ status }: CommandContext, all: Ingested[]): () => void {
  const pace = makePace();
  return () => {
    const counted = all.filter(({ refused }) => refused === null);
    status(progressLine(counted, pace(shareDone(counted), performance.now())));
  };
}

function summarise({ print, warn }: CommandContext, all: Ingested[], creatorName: string, tookMs: number): ExitCode {
  const failed = all.filter(({ refused, source }) => refused !== null || source?.status === 'failed');
  for (const { file, refused, source } of failed)
    warn(`failed: ${printable(file.path)}: ${printable(refused ?? source?.error ?? '')}`);
  const unchanged = all.filter((item) => item.unchanged).length;
  const ready = all.filter(({ source, unchanged: was }) => source?.status === 'ready' && !was);
  const passages = ready.reduce((sum, { source }) => sum + (source?.passages ?? 0), 0);
  const queued = all.filter(({ source }) => source?.status === 'queued' || source?.status === 'ingesting').length;
  const said = [
    ...(ready.length > 0 ? [`${ready.length} ready with ${passages.toLocaleString('en')} passages`] : []),
    ...(unchanged > 0 ? [`${unchanged} unchanged`] : []),
    ...(queued > 0 ? [`${queued} under way`] : []),
    ...(failed.length > 0 ? [`${failed.length} failed`] : []),
  ];
  print(`${printable(creatorName)}: ${said.join(', ')}, in ${duration(tookMs)}.`);
  return failed.length > 0 ? exitCodes.failed : exitCodes.done;
}

export const ingestCommand: Command = {
  name: 'ingest',
  takes: '<creator> <folder> [--base-url URL] [--kind KIND] [--no-wait]',
  summary: 'makes the files of a folder sources of a creator, and shows how far they are',
  details: `Files: srt, vtt, json3, md, txt, html, pdf, also in folders below; each becomes a source titled by its name. Run again, it sends only what has
changed. A file named "Title [id].vtt" as yt-dlp saves it leads to that YouTube video.`,
  options: { 'base-url': { type: 'string' }, kind: { type: 'string' }, 'no-wait': { type: 'boolean' } },
  optionHelp: {
    '--base-url URL': 'where the sources are on the web: URL/<path of the file without its ending>',
    '--kind KIND': `${sourceKinds.join(', ')}; default by the file's ending`,
    '--no-wait': 'ends when all is uploaded; the service goes on',
  },
  run,
};
