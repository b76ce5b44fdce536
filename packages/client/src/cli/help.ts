import { columns } from './columns.js';
import type { Command } from './command.js';

const access = `Whom it asks, and as whom:
  SIDESTAGE_URL       the gateway; --url says it for one call. Default: that of .sidestage/demo.json, else http://localhost:8000
  SIDESTAGE_EMAIL     an operator's address, with
  SIDESTAGE_PASSWORD  the password. Default: the operator of .sidestage/demo.json, which \`npm start\` writes
  SIDESTAGE_TOKEN     an operator's access token, instead of both
  SIDESTAGE_TENANT    the tenant the account belongs to, where it is not the first one
  SIDESTAGE_DATA_DIR  where demo.json is. Default: .sidestage, here or in a folder above

Exit code: 0 done; 1 something was refused or failed, each is named; 2 wrong use; 3 no gateway, or it does not let us in.`;

/** What the commands are, for a stranger. */
export function generalHelp(commands: readonly Command[]): string {
  const rows = commands.map(({ name, takes, summary }) => [`  sidestage ${name} ${takes}`.trimEnd(), summary]);
  return [
    'sidestage: feeds and looks after a running Sidestage fleet.',
    '',
    columns(rows),
    '',
    'sidestage <command> --help tells more of one.',
    '',
    access,
  ].join('\n');
}

export function commandHelp({ name, takes, summary, details, optionHelp }: Command): string {
  const rows = Object.entries({ ...optionHelp, '--url URL': 'the gateway to ask', '-h, --help': 'this text' });
  return [
    `sidestage ${name} ${takes}`.trimEnd(),
    '',
    summary,
    ...(details ? ['', details] : []),
    '',
    columns(rows.map(([flag, meaning]) => [`  ${flag}`, meaning])),
    '',
    access,
  ].join('\n');
}
