// A placement as people want it explained: where to, by what figures, who was out and why, and the number that decided.
import type { Considered, ConsideredServer } from '../placement/considering.ts';
import type { Decision } from '../placement/decision.ts';
import { tableLines } from './render.ts';
import type { Table } from './render.ts';

/** The decision in lines. */
export function explainPlacement(decision: Decision): string[] {
  const { request, at, modes, servers, partitions, drawn, chosen, refused } = decision;
  const where = chosen ? `${chosen.server}!${chosen.partition || '(the backend chooses the partition)'}` : 'nowhere';
  const wishes = [
    ...(request.zone === undefined ? [] : [`zone ${request.zone}`]),
    ...(request.tags ?? []).map((tag) => `tag ${tag}`),
    ...(request.server === undefined ? [] : [`server ${request.server}`]),
    ...(request.partition === undefined ? [] : [`partition ${request.partition}`]),
  ];
  return [
    `${request.name}: ${where}, decided at ${new Date(at).toISOString()}`,
    ...(wishes.length === 0 ? [] : [`asked for: ${wishes.join(', ')}`]),
    ...(refused === undefined ? [] : [`refused: ${refused}`]),
    '',
    request.server === undefined ? `server by ${howText(modes.servers, drawn.server)}` : 'server as asked for',
    ...tableLines(serverTable(servers)),
    ...(partitions.length === 0 ? [] : ['', ...partitionLines(decision)]),
  ];
}

function partitionLines({ request, modes, partitions, drawn }: Decision): string[] {
  const how = request.partition === undefined ? `by ${howText(modes.partitions, drawn.partition)}` : 'as asked for';
  return [`partition ${how}`, ...tableLines(partitionTable(partitions))];
}

function howText(mode: string, drawn: number | undefined): string {
  return drawn === undefined ? mode : `${mode}; of the shares, one below the other, ${drawn.toFixed(2)} was drawn`;
}

const spaceColumns = ['free KiB', 'of KiB', 'promised KiB', 'free then'];

function serverTable(servers: readonly ConsideredServer[]): Table {
  return {
    columns: ['server', ...spaceColumns, 'age', 'users', 'promised', 'weight', 'share', 'out'],
    rows: servers.map((server) => {
      const { age, users, promisedUsers, weight } = server;
      const own = [`${Math.round(age / 1000)} s`, String(users), String(promisedUsers), String(weight)];
      return [server.name, ...spaceCells(server), ...own, ...endCells(server)];
    }),
  };
}

function partitionTable(partitions: readonly Considered[]): Table {
  return {
    columns: ['partition', ...spaceColumns, 'share', 'out'],
    rows: partitions.map((partition) => [partition.name, ...spaceCells(partition), ...endCells(partition)]),
  };
}

function spaceCells({ availableKiB, totalKiB, promisedKiB, percent }: Considered): string[] {
  const text = (value: number | undefined) => (value === undefined ? '-' : String(value));
  return [text(availableKiB), text(totalKiB), String(promisedKiB), percent === undefined ? '-' : percentText(percent)];
}

function endCells({ share, out = '' }: Considered): string[] {
  return [percentText(share), out];
}

function percentText(value: number): string {
  return `${value.toFixed(2)}%`;
}
