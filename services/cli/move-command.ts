// rookery move: mailboxes from server to server, planned before anything is done, followed until it is, and audited after.
import { Command } from 'commander';
import { auditCommands } from './move-audit.ts';
import { movePlanCommand } from './move-plan.ts';
import { listCommand, reportCommand, retryCommand, showCommand, turnCommands } from './move-runs.ts';
import { startCommand } from './move-start.ts';
import { watchCommand } from './move-watch.ts';
import type { Surroundings } from './surroundings.ts';

export function moveCommand(surroundings: Surroundings, end: (code: number) => void): Command {
  const command = new Command('move').description('move mailboxes between backends by plans, and follow that');
  const children = [
    movePlanCommand(surroundings),
    ...[startCommand(surroundings, end), listCommand(surroundings), showCommand(surroundings)],
    ...[watchCommand(surroundings, end), ...turnCommands(surroundings)],
    ...[retryCommand(surroundings), reportCommand(surroundings)],
    ...auditCommands(surroundings, end),
  ];
  for (const child of children) command.addCommand(child);
  return command;
}
