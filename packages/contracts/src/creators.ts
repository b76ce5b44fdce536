import { z } from 'zod';
import { text, timestamp, webUrl } from './text.js';

const slug = z
  .string()
  .regex(/^[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?$/, 'must be 1 to 64 of a-z, 0-9 and - (not at the ends)');
const language = z.string().regex(/^[a-z]{2,3}(-[A-Za-z0-9]{2,8})?$/, 'must be a language tag such as en or pt-BR');
const questions = z.array(text(1, 200)).max(6);

/** `POST /api/v1/creators`. `slug` is made from the name when absent. */
export const creatorBody = z.object({
  name: text(1, 120),
  slug: slug.optional(),
  description: text(0, 500).default(''),
  /** How the creator speaks; goes to the model as instruction. */
  persona: text(0, 4000).default(''),
  language: language.default('en'),
  public: z.boolean().default(true),
  avatar_url: webUrl.optional(),
  /** Questions a fan can press; at most six. */
  questions: questions.default([]),
});
/** `PATCH /api/v1/creators/{id}`: at least one field. */
export const creatorPatch = z
  .strictObject({
    name: text(1, 120),
    slug,
    description: text(0, 500),
    persona: text(0, 4000),
    language,
    public: z.boolean(),
    avatar_url: webUrl.nullable(),
    questions,
  })
  .partial()
  .refine((patch) => Object.keys(patch).length > 0, 'must name at least one field')
  .meta({ minProperties: 1 });

export const creatorSchema = z.object({
  id: z.string(),
  slug: z.string(),
  name: z.string(),
  description: z.string(),
  persona: z.string(),
  language: z.string(),
  public: z.boolean(),
  avatar_url: z.string().nullable(),
  questions: z.array(z.string()),
  /** Sources that are ready. */
  sources_ready: z.number().int(),
  created_at: timestamp,
});
export type CreatorView = z.infer<typeof creatorSchema>;

export const sourceKinds = ['video', 'podcast', 'article', 'file'] as const;
/** Formats that can be ingested. */
export const sourceFormats = ['srt', 'vtt', 'json3', 'markdown', 'html', 'text', 'pdf'] as const;
/** What the ending of a file's name, in lower case, says of it. */
export const sourceFormatOfExtension: Readonly<Record<string, (typeof sourceFormats)[number]>> = {
  '.srt': 'srt',
  '.vtt': 'vtt',
  '.json3': 'json3',
  '.json': 'json3',
  '.md': 'markdown',
  '.markdown': 'markdown',
  '.html': 'html',
  '.htm': 'html',
  '.txt': 'text',
  '.pdf': 'pdf',
};
/** 10 MiB: of UTF-8, for a PDF of its bytes. */
export const maxSourceBytes = 10 * 1024 * 1024;
/** A PDF travels in JSON as base64. */
const maxContentCharacters = Math.ceil(maxSourceBytes / 3) * 4;

const sourceFields = z.object({
  title: text(1, 300),
  kind: z.enum(sourceKinds),
  url: webUrl.optional(),
  published_at: timestamp.optional(),
  /** Of `content`. Without content it may be absent: then what the address answers with says it. */
  format: z.enum(sourceFormats, `must be one of ${sourceFormats.join(', ')}`).optional(),
  /** The text; of a PDF its bytes in base64. Absent: what `url` answers with is fetched. */
  content: text(1, maxContentCharacters).optional(),
});

/** `POST /api/v1/creators/{id}/sources`: a text with its format, or an address to fetch. */
export const sourceBody = sourceFields.superRefine(({ content, format, url }, context) => {
  if (content === undefined && url === undefined)
    context.addIssue({
      code: 'custom',
      path: ['content'],
      message: 'is missing; a source without content needs a url to fetch',
    });
  if (content !== undefined && format === undefined)
    context.addIssue({
      code: 'custom',
      path: ['format'],
      message: `must say what content is: one of ${sourceFormats.join(', ')}`,
    });
  if (content !== undefined && format === 'pdf' && !isPdf(content))
    context.addIssue({ code: 'custom', path: ['content'], message: 'must be a PDF file in base64' });
});
export type SourceBody = z.infer<typeof sourceBody>;
/** The same without `content`: the fields of a multipart upload beside `file`. `title` and `format` default from the file's name. */
export const sourceUploadFields = sourceFields.omit({ content: true }).partial({ title: true, kind: true });
/**
 * `PUT /api/v1/creators/{id}/sources/{source_id}` replaces the content everywhere; absent fields stay. Without content the source's address is
 * fetched again.
 */
export const sourceReplaceBody = sourceFields.partial({ title: true, kind: true });

/** Whether it is the base64 of something that begins as a PDF does. */
function isPdf(content: string): boolean {
  // `%PDF-`
  return /^JVBERi[0-3][A-Za-z0-9+/]*={0,2}$/.test(content);
}

export const sourceStatuses = ['queued', 'ingesting', 'ready', 'failed'] as const;
export const sourceSchema = z.object({
  id: z.string(),
  creator_id: z.string(),
  title: z.string(),
  kind: z.enum(sourceKinds),
  url: z.string().nullable(),
  published_at: timestamp.nullable(),
  format: z.enum(sourceFormats),
  status: z.enum(sourceStatuses),
  /** 0 to 1 */
  progress: z.number(),
  passages: z.number().int(),
  /** Why it failed, in words. */
  error: z.string().nullable(),
  /** Of the content (UTF-8, of a PDF the file), in hex: the same file need not be sent again. Null until it is fetched. */
  content_sha256: z.string().nullable().default(null),
  created_at: timestamp,
});
export type SourceView = z.infer<typeof sourceSchema>;

export const segmentSchema = z.object({
  start_seconds: z.number().optional(),
  end_seconds: z.number().optional(),
  speaker: z.string().optional(),
  text: z.string(),
});
export type Segment = z.infer<typeof segmentSchema>;
export const transcriptSchema = z.object({
  source_id: z.string(),
  title: z.string(),
  segments: z.array(segmentSchema),
});

export const searchBody = z.object({ query: text(1, 2000), limit: z.number().int().min(1).max(50).default(5) });
export const passageSchema = z.object({
  passage_id: z.string(),
  source_id: z.string(),
  title: z.string(),
  /** Opens at the second (see citationUrl). */
  url: z.string(),
  text: z.string(),
  start_seconds: z.number().nullable(),
  end_seconds: z.number().nullable(),
  /** 0 to 1, comparable within one answer. */
  score: z.number(),
});
export type Passage = z.infer<typeof passageSchema>;
export const searchAnswer = z.object({ passages: z.array(passageSchema) });

/** A passage as the retrieval service hands it to the chat worker: with its segments, so that a quote's own second can be told. */
export const retrievedPassageSchema = passageSchema.extend({
  /** The source's own address, null when it has none. */
  source_url: z.string().nullable(),
  /** Of the source. A retrieval service of an earlier version does not say it. */
  kind: z.enum(sourceKinds).default('video'),
  segments: z.array(segmentSchema.extend({ offset: z.number().int() })),
  /** Cosine of query and passage, -1 to 1; null when the vectors could not be used. */
  similarity: z.number().nullable(),
});
export type RetrievedPassage = z.infer<typeof retrievedPassageSchema>;
/** `POST /internal/search` on the retrieval service (bearer: RETRIEVAL_TOKEN). */
export const retrievalSearchBody = z.object({
  tenant_id: z.string(),
  creator_id: z.string(),
  query: text(1, 8000),
  limit: z.number().int().min(1).max(50),
  /** What the fan is watching: its passages come first. */
  video_url: webUrl.optional(),
});
export const retrievalSearchAnswer = z.object({
  passages: z.array(retrievedPassageSchema),
  /** Ready sources that were searched. */
  sources_searched: z.number().int(),
  /** False: the index is being brought up to date, and ready sources were left out. Not to be kept. */
  complete: z.boolean().default(true),
  /** The source `video_url` is of; null where the creator has none of it. */
  watching: z.object({ source_id: z.string(), title: z.string() }).nullable().default(null),
  /** Which index answered, and whether a part of it was missing. */
  index: z.enum(['embedded', 'weaviate', 'full_text']),
});

/**
 * What two addresses of one video have in common: for YouTube the video's id, else the address without what only says where to begin or where
 * the visitor came from.
 */
export function videoKey(address: string): string {
  const url = new URL(address);
  const youTube = youTubeHost.test(url.hostname) ? youTubeId(url) : null;
  if (youTube !== null) return `youtube:${youTube}`;
  for (const name of [...url.searchParams.keys()])
    if (/^(?:utm_\w+|t|start|si|feature|fbclid|gclid)$/.test(name)) url.searchParams.delete(name);
  url.searchParams.sort();
  return `${url.hostname.replace(/^www\./, '')}${url.port && `:${url.port}`}${url.pathname.replace(/\/$/, '')}${url.search}`;
}

function youTubeId(url: URL): string | null {
  if (url.hostname === 'youtu.be') return /^\/([\w-]{6,})/.exec(url.pathname)?.[1] ?? null;
  return url.searchParams.get('v') ?? /^\/(?:embed|v|shorts|live)\/([\w-]{6,})/.exec(url.pathname)?.[1] ?? null;
}

const youTubeHost = /^(?:[a-z0-9-]+\.)*(?:youtube\.com|youtu\.be|youtube-nocookie\.com)$/;

/**
 * Where a citation leads: YouTube addresses get `t=` seconds, other media `#t=`, an article its own address, and a source without an
 * address our page that shows its transcript at the quote.
 */
export function citationUrl(
  source: { id: string; url: string | null; kind: SourceView['kind'] },
  startSeconds: number | null,
  publicWebUrl: string,
): string {
  const second = startSeconds === null ? null : Math.floor(startSeconds);
  if (source.url === null) {
    return `${publicWebUrl.replace(/\/$/, '')}/watch/${source.id}${second === null ? '' : `?t=${second}`}`;
  }
  if (second === null) return source.url;
  const url = new URL(source.url);
  if (youTubeHost.test(url.hostname)) return youTubeUrl(url, second);
  if (source.kind === 'article') return source.url;
  url.hash = `t=${second}`;
  return url.toString();
}

/** The page of a YouTube video at a second. An address for embedding knows no `t=`; another place named in the address gives way. */
function youTubeUrl(url: URL, second: number): string {
  const embedded = /^\/(?:embed|v)\/([\w-]+)/.exec(url.pathname)?.[1];
  const page = embedded === undefined ? new URL(url) : new URL(`https://www.youtube.com/watch?v=${embedded}`);
  page.hash = '';
  for (const name of ['start', 'time_continue']) page.searchParams.delete(name);
  page.searchParams.set('t', `${second}s`);
  return page.toString();
}
