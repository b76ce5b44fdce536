import { parseArgs } from 'node:util';
import type { Command, CommandContext } from './command.js';
import { deadCommands } from './dead-commands.js';
import { openGateway } from './gateway.js';
import { commandHelp, generalHelp } from './help.js';
import { ingestCommand } from './ingest-command.js';
import { CommandError, type ExitCode, exitCodes, type Surroundings, usageError } from './surroundings.js';

const commands: readonly Command[] = [ingestCommand, ...deadCommands];

const common = { url: { type: 'string' }, help: { type: 'boolean', short: 'h' } } as const;

/** Runs one command line (without `node` and the script) and gives the exit code. Never rejects. */
export async function runCli(line: readonly string[], surroundings: Surroundings): Promise<ExitCode> {
  try {
    return await dispatch(line, surroundings);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    surroundings.warn(`sidestage: ${message}`);
    return error instanceof CommandError ? error.exitCode : exitCodes.failed;
  }
}

async function dispatch(line: readonly string[], surroundings: Surroundings): Promise<ExitCode> {
  const command = commands.find(({ name }) => name.split(' ').every((word, index) => line[index] === word));
  if (!command) return withoutCommand(line, surroundings);
  const { values, positionals } = parse(command, line.slice(command.name.split(' ').length));
  if (values.help === true) {
    surroundings.print(commandHelp(command));
    return exitCodes.done;
  }
  const url = typeof values.url === 'string' ? values.url : undefined;
  let opened: ReturnType<typeof openGateway> | null = null;
  const context: CommandContext = {
    ...surroundings,
    flags: values,
    words: positionals,
    gateway: () => {
      opened ??= openGateway(surroundings, url);
      return opened;
    },
  };
  return command.run(context);
}

/** Help where it was asked for; else what is wrong, with the nearest group of commands. */
function withoutCommand(line: readonly string[], { print }: Surroundings): ExitCode {
  const words = line.filter((word) => !word.startsWith('-'));
  const group = commands.filter(({ name }) => name.startsWith(`${words[0]} `));
  const wantsHelp = line.length === 0 || line.includes('--help') || line.includes('-h') || words[0] === 'help';
  if (wantsHelp || (group.length > 0 && words.length === 1)) {
    print(generalHelp(group.length > 0 ? group : commands));
    return wantsHelp ? exitCodes.done : exitCodes.usage;
  }
  const known = (group.length > 0 ? group : commands).map(({ name }) => name).join(', ');
  throw usageError(`there is no command "${words.slice(0, 2).join(' ')}". There are: ${known}. See sidestage --help.`);
}

function parse(command: Command, rest: readonly string[]) {
  try {
    const { values, positionals } = parseArgs({
      args: [...rest],
      options: { ...command.options, ...common },
      allowPositionals: true,
    });
    return { values: values as CommandContext['flags'], positionals };
  } catch (error) {
    const why = error instanceof Error ? error.message.split('. ')[0] : String(error);
    throw usageError(`${why}. See sidestage ${command.name} --help.`);
  }
}
