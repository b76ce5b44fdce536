import {
  type DeadTurnDetailView,
  type DeadTurnView,
  deadTurnDetailSchema,
  deadTurnSchema,
  pageOf,
  retriedTurnSchema,
} from '@sidestage/contracts';
import { columns, printable } from './columns.js';
import type { Command, CommandContext } from './command.js';
import { type Gateway, RefusedError } from './gateway.js';
import { type ExitCode, exitCodes, usageError } from './surroundings.js';

const path = '/api/v1/admin/dead-turns';
const largestPage = 100;
const defaultLimit = 50;
const json = { type: 'boolean' } as const;
const jsonHelp = { '--json': 'as JSON, for programs' };
const tenant = { type: 'string' } as const;
const tenantHelp = { '--tenant ID': 'of one tenant only' };

/** Up to `limit` dead turns, newest first; `more` when there are others. */
async function list(
  gateway: Gateway,
  { limit, tenantId }: { limit: number; tenantId: string | undefined },
): Promise<{ turns: DeadTurnView[]; more: boolean }> {
  const turns: DeadTurnView[] = [];
  let cursor: string | null = null;
  do {
    const query = new URLSearchParams({ limit: String(Math.min(largestPage, limit - turns.length)) });
    if (tenantId !== undefined) query.set('tenant_id', tenantId);
    if (cursor !== null) query.set('cursor', cursor);
    const page = await gateway.call('GET', `${path}?${query}`, pageOf(deadTurnSchema));
    turns.push(...page.items);
    cursor = page.next_cursor;
  } while (cursor !== null && turns.length < limit);
  return { turns, more: cursor !== null };
}

function tenantOf({ flags }: CommandContext): string | undefined {
  return typeof flags.tenant === 'string' ? flags.tenant : undefined;
}

function limitOf({ flags }: CommandContext): number {
  if (typeof flags.limit !== 'string') return defaultLimit;
  const limit = Number(flags.limit);
  if (Number.isInteger(limit) && limit > 0) return limit;
  throw usageError(`--limit must be a whole number from 1, not "${flags.limit}".`);
}

const why = ({ reason }: DeadTurnView) => printable(reason.detail ?? reason.title);
const short = (time: string) => time.replace('T', ' ').replace(/\.\d+Z$/, 'Z');

async function runList(context: CommandContext): Promise<ExitCode> {
  if (context.words.length > 0)
    throw usageError(`dead ls takes no "${context.words[0]}". See sidestage dead ls --help.`);
  const limit = limitOf(context);
  const { turns, more } = await list(await context.gateway(), { limit, tenantId: tenantOf(context) });
  if (context.flags.json === true) {
    context.print(JSON.stringify({ items: turns }, null, 2));
    return exitCodes.done;
  }
  if (turns.length === 0) {
    context.print('No dead turns.');
    return exitCodes.done;
  }
  const rows = turns.map((turn) => [
    turn.id,
    short(turn.ended_at),
    turn.tenant_id,
    turn.tier,
    String(turn.crashes),
    why(turn),
  ]);
  context.print(columns([['id', 'ended', 'tenant', 'tier', 'crashes', 'reason'], ...rows]));
  if (more) context.warn(`There are more than ${limit}: --limit shows them.`);
  return exitCodes.done;
}

function detailsOf(turn: DeadTurnDetailView): string {
  const rows = [
    ['id', turn.id],
    ['reason', why(turn)],
    ['worker deaths', String(turn.crashes)],
    ['model errors', String(turn.failures)],
    ['accepted', short(turn.accepted_at)],
    ['ended', short(turn.ended_at)],
    ['tenant', turn.tenant_id],
    ['creator', turn.creator_id],
    ['conversation', turn.conversation_id],
    ['principal', `${turn.principal} (${turn.tier})`],
    ['request', printable(turn.request_id ?? 'unknown')],
    ...(turn.video_url ? [['video', printable(turn.video_url)]] : []),
  ];
  return `${columns(rows)}\n\nmessage:\n${printable(turn.message)}`;
}

async function runShow(context: CommandContext): Promise<ExitCode> {
  const [id, ...rest] = context.words;
  if (id === undefined || rest.length > 0) throw usageError('dead show takes one id. sidestage dead ls shows them.');
  const gateway = await context.gateway();
  const turn = await gateway.call('GET', `${path}/${encodeURIComponent(id)}`, deadTurnDetailSchema);
  context.print(context.flags.json === true ? JSON.stringify(turn, null, 2) : detailsOf(turn));
  return exitCodes.done;
}

/** Does the same to each id, goes on after a refusal, and tells of each. */
async function forEach(
  context: CommandContext,
  ids: readonly string[],
  act: (id: string) => Promise<string>,
): Promise<ExitCode> {
  const results: { id: string; done: boolean; detail: string }[] = [];
  for (const id of ids) {
    try {
      results.push({ id, done: true, detail: await act(id) });
    } catch (error) {
      if (!(error instanceof RefusedError)) throw error;
      results.push({ id, done: false, detail: error.message });
    }
    const last = results.at(-1);
    if (last && context.flags.json !== true) (last.done ? context.print : context.warn)(`${last.id}  ${last.detail}`);
  }
  if (context.flags.json === true) context.print(JSON.stringify({ items: results }, null, 2));
  return results.every(({ done }) => done) ? exitCodes.done : exitCodes.failed;
}

async function runRetry(context: CommandContext): Promise<ExitCode> {
  const all = context.flags.all === true;
  if (all === context.words.length > 0)
    throw usageError('dead retry takes ids, or --all, and not both. sidestage dead ls shows them.');
  if (!all && tenantOf(context) !== undefined) throw usageError('--tenant narrows --all; ids need none.');
  const gateway = await context.gateway();
  const everything = { limit: Number.MAX_SAFE_INTEGER, tenantId: tenantOf(context) };
  const ids = all ? (await list(gateway, everything)).turns.map(({ id }) => id) : context.words;
  if (ids.length === 0 && context.flags.json !== true) context.print('No dead turns.');
  return forEach(context, ids, async (id) => {
    const { deadline_at } = await gateway.call('POST', `${path}/${encodeURIComponent(id)}/retry`, retriedTurnSchema);
    return `queued again, until ${short(deadline_at)}`;
  });
}

async function runDrop(context: CommandContext): Promise<ExitCode> {
  if (context.words.length === 0) throw usageError('dead drop takes ids. sidestage dead ls shows them.');
  const gateway = await context.gateway();
  return forEach(context, context.words, async (id) => {
    await gateway.send('DELETE', `${path}/${encodeURIComponent(id)}`);
    return 'dropped';
  });
}

/** Turns that were set aside because workers died over them. */
export const deadCommands: readonly Command[] = [
  {
    name: 'dead ls',
    takes: '[--tenant ID] [--limit N] [--json]',
    summary: 'Lists the dead turns, newest first.',
    details:
      'A turn is set aside when worker after worker died while it was answered. Its fan was told that it failed; nothing else waits for it.',
    options: { tenant, json, limit: { type: 'string' } },
    optionHelp: { ...tenantHelp, '--limit N': `at most N, default ${defaultLimit}`, ...jsonHelp },
    run: runList,
  },
  {
    name: 'dead show',
    takes: '<id> [--json]',
    summary: 'Shows one with its message and reason.',
    details: 'The message is the fan’s own words: that it was read, and by whom, is kept in the audit.',
    options: { json },
    optionHelp: jsonHelp,
    run: runShow,
  },
  {
    name: 'dead retry',
    takes: '<id>... | --all [--tenant ID] [--json]',
    summary: 'Queues dead turns again, with a new deadline.',
    details:
      'Do it once what killed the workers is mended. Each keeps its message id and its place in the conversation; one that kills its workers again is set aside again.',
    options: { all: { type: 'boolean' }, tenant, json },
    optionHelp: { '--all': 'every dead turn there is', ...tenantHelp, ...jsonHelp },
    run: runRetry,
  },
  {
    name: 'dead drop',
    takes: '<id>... [--json]',
    summary: 'Takes dead turns off the list.',
    details: 'The fan’s history keeps them as failed. There is no way back to the list.',
    options: { json },
    optionHelp: jsonHelp,
    run: runDrop,
  },
];
