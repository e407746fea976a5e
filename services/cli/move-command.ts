// rookery move: mailboxes from one backend to another, and what is left of that.
import { Command } from 'commander';
import { auditCommands } from './move-audit.ts';
import type { Surroundings } from './surroundings.ts';

export function moveCommand(surroundings: Surroundings, end: (code: number) => void): Command {
  const command = new Command('move').description('move mailboxes between backends, and see that nothing is left over');
  for (const child of auditCommands(surroundings, end)) command.addCommand(child);
  return command;
}
