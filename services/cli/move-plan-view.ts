// What a plan comes to, for people: from where to where how much, how long, what is left out and why.
import { readable } from '../address/bytes.ts';
import { locationOf } from '../moves/plan.ts';
import type { LeftOut, Plan, PlannedMove } from '../moves/plan.ts';
import { pairLines, tableLines } from './render.ts';

/** How many moves and reasons are shown: the file has them all. */
const shown = 10;

export function planSummary(plan: Plan): string[] {
  const { asked, totals, moves, leftOut, notes, rate } = plan;
  const guessed = totals.guessed === 0 ? '' : `, ${totals.guessed} of them guessed`;
  const learnt = rate.measured === 0 ? 'supposed' : `as ${rate.measured} moves before have taken`;
  const { total, perSource, perDestination } = plan.limits;
  return [
    ...pairLines([
      ['plan', asked],
      ['moves', `${totals.moves}${guessed}`],
      ['size', size(totals.octets)],
      [
        'duration',
        `${time(totals.seconds)}, ${total} at a time, ${perSource} a source, ${perDestination} a destination (${learnt})`,
      ],
      ['left out', String(totals.leftOut)],
    ]),
    ...(moves.length > 0 ? ['', ...tableLines(pairsTable(moves)), '', ...firstMoves(moves)] : []),
    ...(leftOut.length > 0 ? ['', 'Left out:', ...reasons(leftOut)] : []),
    ...(notes.length > 0 ? ['', ...notes.map((note) => `Note: ${note}.`)] : []),
  ];
}

function pairsTable(moves: readonly PlannedMove[]) {
  const pairs = new Map<string, { from: string; to: string; moves: number; octets: number }>();
  for (const { from, to, octets } of moves) {
    const [source, destination] = [readable(locationOf(from)), readable(locationOf(to))];
    const pair = pairs.get(`${source} ${destination}`) ?? { from: source, to: destination, moves: 0, octets: 0 };
    pairs.set(`${source} ${destination}`, { ...pair, moves: pair.moves + 1, octets: pair.octets + octets });
  }
  const rows = Array.from(pairs.values(), ({ from, to, moves: count, octets }) => [
    from,
    to,
    String(count),
    size(octets),
  ]);
  return { columns: ['from', 'to', 'moves', 'size'], rows };
}

function firstMoves(moves: readonly PlannedMove[]): string[] {
  const rows = moves
    .slice(0, shown)
    .map(({ name, from, to, octets, sized, seconds }) => [
      ...[readable(name), readable(locationOf(from)), readable(locationOf(to))],
      ...[sized === 'not' ? '?' : `${sized === 'mean' ? '~' : ''}${size(octets)}`, time(seconds)],
    ]);
  const lines = tableLines({ columns: ['first', 'from', 'to', 'size', 'takes'], rows });
  return moves.length > shown ? [...lines, `and ${moves.length - shown} more`] : lines;
}

/** The same reason once, with the first who have it. */
function reasons(leftOut: readonly LeftOut[]): string[] {
  const names = new Map<string, string[]>();
  for (const { name, why } of leftOut) {
    const same = names.get(why);
    if (same) same.push(readable(name));
    else names.set(why, [readable(name)]);
  }
  const lines = Array.from(names, ([why, who]) => {
    const more = who.length > shown ? ` and ${who.length - shown} more` : '';
    return `  ${who.slice(0, shown).join(', ')}${more}: ${why}`;
  });
  return lines.length > shown ? [...lines.slice(0, shown), `  and ${lines.length - shown} more reasons`] : lines;
}

function size(octets: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  const step = octets < 1 ? 0 : Math.min(units.length - 1, Math.floor(Math.log2(octets) / 10));
  const number = octets / 1024 ** step;
  return `${number.toFixed(step > 0 && number < 10 ? 1 : 0)} ${units[step] ?? ''}`;
}

function time(seconds: number): string {
  if (seconds < 120) return `${seconds} s`;
  const minutes = Math.round(seconds / 60);
  return minutes < 120 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}
