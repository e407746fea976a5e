// The command line as a whole: `rookery NOUN VERB`, and how each command ends.
import { Command, CommanderError } from 'commander';
import { ConfigError } from '../config/config-error.ts';
import { Refusal } from '../operations/refusal.ts';
import type { RefusalKind } from '../operations/refusal.ts';
import { auditCommand } from './audit-command.ts';
import { backendCommand } from './backend-command.ts';
import { configCommand } from './config-command.ts';
import { directoryCommand } from './directory-command.ts';
import { CommandError, exit } from './exit-codes.ts';
import { mailboxCommand } from './mailbox-command.ts';
import { moveCommand } from './move-command.ts';
import { placementCommand } from './placement-command.ts';
import { queueCommand } from './queue-command.ts';
import { replicateCommand } from './replicate-command.ts';
import { routeCommand } from './route-command.ts';
import { runCommands } from './run-command.ts';
import { usageCommand } from './usage-command.ts';
import { scalingCommand } from './scaling-command.ts';
import type { Surroundings } from './surroundings.ts';
import { userCommand } from './user-command.ts';

const overview = `
Exit codes: 0 well, 64 wrong usage, 65 wrong data, 67 no such mailbox, 69 something needed is not there,
70 a fault of this program, 75 try again, 77 not permitted, 78 wrong configuration.

With --api URL or ROOKERY_API, and a token, all commands but up, run, config and scaling simulate ask the API of a
running process instead of Redis.

Examples:
  rookery up
  rookery run lmtp --config /etc/rookery/rookery.yaml
  rookery mailbox list "user.%"
  rookery route explain jdoe@example.org
  rookery user create jdoe@example.org
  rookery move plan --evacuate mail7 -o mail7.plan
  rookery backend drain mail2.example.org
  rookery queue list
  rookery move watch 20261127-171408-3f9a
  rookery placement simulate --users 5000
  rookery scaling simulate --trace burst.csv
  rookery audit list --newer-than 7d
  rookery config check`;

/** Has a command and those below it throw where commander would end the process, and write through the surroundings. */
function tame(command: Command, surroundings: Surroundings): void {
  command.exitOverride().configureOutput({
    writeOut: (text) => {
      surroundings.out(text.trimEnd());
    },
    writeErr: (text) => {
      surroundings.err(text.trimEnd());
    },
  });
  for (const child of command.commands) tame(child, surroundings);
}

function programOf(surroundings: Surroundings, version: string, ended: (code: number) => void): Command {
  const program = new Command('rookery')
    .description('Delivers mail by LMTP to the backend that owns the mailbox, by a MUPDATE directory kept in Redis.')
    .version(version)
    .showHelpAfterError('(--help tells more)')
    .addHelpText('after', overview);
  const commands = [
    ...runCommands(surroundings),
    mailboxCommand(surroundings, ended),
    backendCommand(surroundings, ended),
    routeCommand(surroundings, ended),
    directoryCommand(surroundings),
    queueCommand(surroundings),
    userCommand(surroundings, ended),
    moveCommand(surroundings, ended),
    replicateCommand(surroundings, ended),
    usageCommand(surroundings),
    placementCommand(surroundings),
    scalingCommand(surroundings),
    auditCommand(surroundings),
    configCommand(surroundings),
  ];
  for (const command of commands) program.addCommand(command);
  tame(program, surroundings);
  return program;
}

/** How a command ends whose operation was refused. */
const refusals: Record<RefusalKind, number> = {
  usage: exit.usage,
  data: exit.data,
  missing: exit.data,
  unsafe: exit.temporary,
  unavailable: exit.temporary,
};

/** The exit code for what a command threw, and the line about it, if it has not been told yet. */
function endingOf(error: unknown): { code: number; line?: string } {
  if (error instanceof CommanderError) return { code: error.exitCode === 0 ? exit.ok : exit.usage };
  if (error instanceof CommandError) return { code: error.exitCode, line: `rookery: ${error.message}` };
  if (error instanceof Refusal) return { code: refusals[error.kind], line: `rookery: ${error.message}` };
  if (error instanceof ConfigError) return { code: exit.config, line: error.message };
  return {
    code: exit.software,
    line: `rookery: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`,
  };
}

/** Carries out one command line (without the program's name) and gives back its exit code. */
export async function runProgram(
  args: readonly string[],
  surroundings: Surroundings,
  version: string,
): Promise<number> {
  let code: number = exit.ok;
  try {
    await programOf(surroundings, version, (ended) => (code = ended)).parseAsync(args, { from: 'user' });
    return code;
  } catch (error) {
    const ending = endingOf(error);
    if (ending.line !== undefined) surroundings.err(ending.line);
    return ending.code;
  }
}
