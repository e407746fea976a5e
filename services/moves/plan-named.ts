// The trees that are named in a wish: each word is one tree, the one that is there; and what cannot be moved with the reason.
import { readable } from '../address/bytes.ts';
import { mailboxPattern } from '../address/mailbox-pattern.ts';
import type { Directory } from '../directory/directory.ts';
import { isGrave } from '../directory/entry.ts';
import type { Bytes } from '../directory/entry.ts';
import { placeOf } from '../directory/tree.ts';
import { walkTrees } from '../directory/tree-walk.ts';
import type { LeftOut } from './plan.ts';
import { fewNames, treesNamed } from './plan-reading.ts';
import { lookAtTree } from './plan-trees.ts';
import type { Candidate, Hindrances } from './plan-trees.ts';
import { UnfitPlan } from './plan-wish.ts';
import type { Meant, Named } from './plan-wish.ts';

interface NamedTrees {
  candidates: Candidate[];
  leftOut: LeftOut[];
  /** Sentences. */
  notes: string[];
}

interface Reading {
  directory: Pick<Directory, 'trees' | 'snapshot' | 'tree'>;
  hindrances: Hindrances;
  /** Lets others of the process have their turn. */
  breathe: () => Promise<void>;
}

/** How many words are told of that mean two trees, or the same. */
const mostTold = 20;

/** Throws UnfitPlan where a word means two trees that are there. */
export async function namedTrees(meant: Meant & { is: 'named' }, reading: Reading): Promise<NamedTrees> {
  const { names, pattern } = meant;
  const fits = pattern === undefined ? () => false : mailboxPattern(pattern);
  const wanted = new Set(names.flatMap(({ may }) => may));
  const { there, looked } = await lookAll(wanted, pattern, fits, reading);
  const { chosen, absent, twice } = chosenOf(names, there, new Set(looked.map(({ name }) => name)));
  const isMeant = ({ name }: { name: Bytes }) => chosen.has(name) || fits(name);
  const asked = looked.filter(isMeant);
  return {
    candidates: asked.flatMap((one) => ('why' in one ? [] : [one])),
    leftOut: [...asked.flatMap((one) => ('why' in one ? [one] : [])), ...absent],
    notes: twiceNote(twice),
  };
}

interface LookedAt {
  /** The roots that have rows. */
  there: ReadonlySet<Bytes>;
  looked: (Candidate | LeftOut)[];
}

async function lookAll(
  wanted: ReadonlySet<Bytes>,
  pattern: Bytes | undefined,
  fits: (name: Bytes) => boolean,
  { directory, hindrances, breathe }: Reading,
): Promise<LookedAt> {
  const trees = [...new Set(Array.from(wanted, (name) => placeOf(name).tree))];
  const isAll = pattern !== undefined || trees.length > fewNames;
  const there = new Set<Bytes>();
  const looked: (Candidate | LeftOut)[] = [];
  for await (const walked of isAll ? walkTrees(directory, undefined) : treesNamed(directory, trees)) {
    for (const row of walked.rows) if (wanted.has(row.name) && !isGrave(row)) there.add(row.name);
    const { candidates, leftOut } = lookAtTree(walked, undefined, hindrances);
    for (const one of [...candidates, ...leftOut]) if (wanted.has(one.name) || fits(one.name)) looked.push(one);
    await breathe();
  }
  return { there, looked };
}

interface Choice {
  chosen: ReadonlySet<Bytes>;
  absent: LeftOut[];
  /** Trees that several words mean. */
  twice: ReadonlySet<Bytes>;
}

/** `known`: what something can be said of, though it may have no row of its own any more. */
function chosenOf(names: readonly Named[], there: ReadonlySet<Bytes>, known: ReadonlySet<Bytes>): Choice {
  const chosen = new Set<Bytes>();
  const absent = new Map<Bytes, LeftOut>();
  const twice = new Set<Bytes>();
  const unclear: string[] = [];
  for (const one of names) {
    const found = one.may.filter((name) => there.has(name));
    if (found.length > 1) unclear.push(unclearText(one, found));
    const name = found[0] ?? one.may.find((may) => known.has(may)) ?? one.may[0] ?? one.said;
    const isThere = there.has(name) || known.has(name);
    if (chosen.has(name) || absent.has(name)) twice.add(name);
    else if (isThere) chosen.add(name);
    else absent.set(name, { name, why: absentText(one) });
  }
  if (unclear.length > 0) throw new UnfitPlan(listText('it is not clear what is meant:', unclear));
  return { chosen, absent: [...absent.values()], twice };
}

function unclearText({ said }: Named, found: readonly Bytes[]): string {
  const names = found.map((name) => (placeOf(name).shared ? `+${readable(name)}` : readable(name)));
  return `'${readable(said)}' may be ${names.join(' or ')}, and all of these are there: name one so`;
}

function absentText({ may }: Named): string {
  const others = may.slice(1).map(readable);
  const nor = others.length === 0 ? '' : `, nor ${others.join(' or ')}`;
  return `there is no such mailbox in the directory${nor}`;
}

function twiceNote(twice: ReadonlySet<Bytes>): string[] {
  if (twice.size === 0) return [];
  const some = [...twice].slice(0, mostTold).map(readable).join(', ');
  return [`named more than once, and counted once: ${some}${twice.size > mostTold ? ', ...' : ''}`];
}

function listText(head: string, lines: readonly string[]): string {
  const more = lines.length > mostTold ? [`and ${lines.length - mostTold} more`] : [];
  return [head, ...lines.slice(0, mostTold), ...more].join('\n  ');
}
