// rookery move: mailboxes from server to server, planned before anything is done, and followed until it is.
import { Command } from 'commander';
import { movePlanCommand } from './move-plan.ts';
import { listCommand, reportCommand, retryCommand, showCommand, turnCommands } from './move-runs.ts';
import { startCommand } from './move-start.ts';
import { watchCommand } from './move-watch.ts';
import type { Surroundings } from './surroundings.ts';

export function moveCommand(surroundings: Surroundings, end: (code: number) => void): Command {
  const command = new Command('move').description('move users and shared mailboxes from server to server, by plans');
  const children = [
    ...[movePlanCommand(surroundings), startCommand(surroundings, end), listCommand(surroundings)],
    ...[showCommand(surroundings), watchCommand(surroundings, end), ...turnCommands(surroundings)],
    ...[retryCommand(surroundings), reportCommand(surroundings)],
  ];
  for (const child of children) command.addCommand(child);
  return command;
}
