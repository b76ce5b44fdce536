import { join, relative } from 'node:path';
import type { LauncherConfig } from './config.js';
import type { Demo } from './demo/demo-file.js';
import type { DemoCreator } from './demo/demo-material.js';
import type { Terminal } from './terminal.js';

const NAME_WIDTH = 12;
const ADDRESS_WIDTH = 36;

/** Safe inside the single quotes of a shell. */
const quoted = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;

/** One chat in one command, that works when pasted. */
export function chatCommand(demo: Demo, material: readonly DemoCreator[]): string | undefined {
  const creator = demo.creators[0];
  if (!creator) return undefined;
  const questions = material.find(({ body }) => body.slug === creator.slug)?.body.questions;
  const message = questions?.[0] ?? 'What do you talk about?';
  const body = JSON.stringify({ creator_id: creator.slug, message });
  return [
    `curl -s ${demo.gateway}/api/v1/chat \\`,
    `  -H 'Authorization: Bearer ${demo.api_keys.premium}' \\`,
    `  -H 'Content-Type: application/json' \\`,
    `  -d ${quoted(body)}`,
  ].join('\n');
}

/** The table at the end of a start: where everything is, and how to chat. */
export function showAddresses(
  terminal: Terminal,
  config: LauncherConfig,
  demo: Demo | undefined,
  material: readonly DemoCreator[],
): void {
  const inData = (name: string): string => {
    const path = join(config.dataDir, name);
    const below = relative(config.root, path);
    return below.startsWith('..') ? path : below;
  };
  const runs = (name: LauncherConfig['services'][number]): boolean => config.services.includes(name);
  const rows: [string, string, string][] = [];
  if (runs('web')) rows.push(['chat page', config.publicWebUrl, 'try it as a guest']);
  if (runs('gateway')) rows.push(['API', config.publicGatewayUrl, `documentation at ${config.publicGatewayUrl}/docs`]);
  if (runs('chat-worker')) {
    const ports = Array.from({ length: config.chatWorkers }, (_, index) => config.ports['chat-worker'] + index);
    rows.push(['chat-workers', ports.map((port) => `http://localhost:${port}`).join(' '), '']);
  }
  if (runs('retrieval')) rows.push(['retrieval', `http://localhost:${config.ports.retrieval}`, '']);
  if (demo) rows.push(['demo', inData('demo.json'), 'keys and accounts']);
  rows.push(['logs', inData('logs'), `processes in ${inData('run.json')}`]);

  terminal.line();
  for (const [name, address, remark] of rows) {
    terminal.line(
      `  ${terminal.bold(name.padEnd(NAME_WIDTH))} ${address.padEnd(ADDRESS_WIDTH)} ${terminal.dim(remark)}`.trimEnd(),
    );
  }
  const command = demo && runs('gateway') ? chatCommand(demo, material) : undefined;
  if (command) terminal.line(`\n  ${terminal.bold('chat')}\n\n${command}`);
  terminal.line(`\n  ${terminal.dim('Ctrl-C stops everything.')}`);
}
