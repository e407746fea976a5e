// rookery move: mailboxes from server to server, planned before anything is done.
import { Command } from 'commander';
import { movePlanCommand } from './move-plan.ts';
import type { Surroundings } from './surroundings.ts';

export function moveCommand(surroundings: Surroundings): Command {
  const command = new Command('move').description('move users and shared mailboxes from server to server');
  for (const child of [movePlanCommand(surroundings)]) command.addCommand(child);
  return command;
}
