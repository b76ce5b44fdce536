import { createHash } from 'node:crypto';
import { readdir, readFile, stat } from 'node:fs/promises';
import { basename, extname, join, relative, sep } from 'node:path';
import { maxSourceBytes, type SourceView, sourceFormatOfExtension } from '@sidestage/contracts';

/** A file that can be a source. */
export interface SourceFile {
  /** From the folder on, with slashes. */
  path: string;
  file: string;
  bytes: number;
  format: SourceView['format'];
  title: string;
  url: string | null;
}

export interface FoundFiles {
  files: SourceFile[];
  /** What is left out, with why. */
  skipped: { path: string; why: string }[];
}

/** `Title [dQw4w9WgXcQ].en.vtt`: how yt-dlp names what it saves. */
const downloaded = /^(.*?)\s*\[([A-Za-z0-9_-]{11})\]$/;
/** The language of captions between name and ending. */
const language = /\.[a-z]{2,3}(?:-[A-Za-z0-9-]{2,12})?$/;
const captions = new Set<SourceView['format']>(['srt', 'vtt', 'json3']);

/** The files below a folder that can be sources, in the order of their names. Hidden files and folders are not looked at. */
export async function findFiles(folder: string, baseUrl: string | null): Promise<FoundFiles> {
  const found: FoundFiles = { files: [], skipped: [] };
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    const file = join(entry.parentPath, entry.name);
    const path = relative(folder, file).split(sep).join('/');
    if (!entry.isFile() || path.split('/').some((part) => part.startsWith('.'))) continue;
    const format = sourceFormatOfExtension[extname(entry.name).toLowerCase()];
    const { size } = await stat(file);
    if (!format) found.skipped.push({ path, why: 'its ending says nothing that can be read' });
    else if (size === 0) found.skipped.push({ path, why: 'it is empty' });
    else if (size > maxSourceBytes) found.skipped.push({ path, why: 'it is larger than 10 MiB' });
    else found.files.push({ path, file, bytes: size, format, ...nameOf(path, format, baseUrl) });
  }
  found.files.sort((a, b) => (a.path < b.path ? -1 : 1));
  const titles = found.files.map(({ title }) => title);
  const isTaken = (title: string) => titles.indexOf(title) !== titles.lastIndexOf(title);
  // Run again, a file finds its source by its title: of two that share one, each is called by its path.
  const files = found.files.map((each) => (isTaken(each.title) ? { ...each, title: each.path.slice(-300) } : each));
  return { ...found, files };
}

function nameOf(path: string, format: SourceView['format'], baseUrl: string | null): Pick<SourceFile, 'title' | 'url'> {
  const bare = path.slice(0, path.length - extname(path).length);
  const stem = captions.has(format) ? bare.replace(language, '') : bare;
  const saved = downloaded.exec(basename(stem));
  if (saved?.[1]) return { title: saved[1].slice(0, 300), url: `https://www.youtube.com/watch?v=${saved[2]}` };
  const url =
    baseUrl === null ? null : `${baseUrl.replace(/\/$/, '')}/${stem.split('/').map(encodeURIComponent).join('/')}`;
  return { title: basename(stem).slice(0, 300), url };
}

/** What a file is sent as, and what the gateway will call its content. */
export async function readContent({
  file,
  format,
}: SourceFile): Promise<{ bytes: Buffer<ArrayBuffer>; sha256: string }> {
  const bytes = await readFile(file);
  // The gateway keeps text without its byte order mark.
  const kept = format !== 'pdf' && bytes.subarray(0, 3).equals(byteOrderMark) ? bytes.subarray(3) : bytes;
  return { bytes, sha256: createHash('sha256').update(kept).digest('hex') };
}

const byteOrderMark = Buffer.from([0xef, 0xbb, 0xbf]);
