// Makes plans of moves: reads who is where, how large they are and where there is room, and decides what goes where.
import { setImmediate as turn } from 'node:timers/promises';
import { readable } from '../address/bytes.ts';
import type { ImapAdmins } from '../backends/imap-admins.ts';
import type { Registry } from '../backends/registry.ts';
import type { Directory } from '../directory/directory.ts';
import { bytesFromText, textFromBytes } from '../directory/entry.ts';
import type { Bytes } from '../directory/entry.ts';
import { placeOf } from '../directory/tree.ts';
import { walkTrees } from '../directory/tree-walk.ts';
import type { Chance } from '../placement/chance.ts';
import { withPromises } from '../placement/facts.ts';
import type { Promised, ServerFacts } from '../placement/facts.ts';
import type { Policy } from '../placement/policy.ts';
import { Destinations, loadOf, textPlace } from './destinations.ts';
import { unaskable } from './move.ts';
import type { Move } from './move.ts';
import { serversIn, totalsOf } from './plan.ts';
import type { LeftOut, Plan, PlannedMove } from './plan.ts';
import { durationOf } from './plan-duration.ts';
import { namedTrees } from './plan-named.ts';
import { notesOf, overQuotaNote } from './plan-notes.ts';
import { ordered } from './plan-order.ts';
import { rateOf, secondsOf } from './plan-rate.ts';
import { findSizes } from './plan-sizes.ts';
import { lookAtTree } from './plan-trees.ts';
import type { Candidate, Hindrances } from './plan-trees.ts';
import { askedText, UnfitPlan } from './plan-wish.ts';
import type { Meant, PlanWish } from './plan-wish.ts';
import { overfull, rebalanced } from './rebalance.ts';
import type { Bin } from './rebalance.ts';
import { Room } from './room.ts';

export interface PlanningMeans {
  directory: Pick<Directory, 'trees' | 'snapshot' | 'tree' | 'caseNames' | 'head' | 'standing'>;
  registry: Pick<Registry, 'find' | 'all'>;
  admins: Pick<ImapAdmins, 'ask'>;
  policy: Policy;
  /** The newest figures of every backend, without promises. */
  figures: () => Promise<readonly ServerFacts[]>;
  /** What is promised to new users. */
  promised: () => Promise<ReadonlyMap<string, Promised>>;
  moves: {
    open: () => Promise<readonly Move[]>;
    /** What runs that are not over have still to move; some of it may be open already. */
    waiting: () => AsyncIterable<Pick<Move, 'name' | 'from' | 'to' | 'octets'> & { run: string }>;
    /** Of those that are done some of the newest, to learn from. */
    done: () => Promise<readonly Move[]>;
  };
  /** The users of whom an order is open. */
  ordered: () => Promise<readonly Bytes[]>;
  /** Whether a server has a partition; rejects where it does not say. */
  hasPartition: (server: Bytes, partition: Bytes) => Promise<boolean>;
  chance: Chance;
  /** In milliseconds since 1970. */
  now: () => number;
}

/** How long is reckoned before others of the process have their turn, in milliseconds: deliveries among them. */
const slice = 5;

/** Throws UnfitPlan where a server is no backend, or sizes are needed and not wanted. Other rejections: Redis is away. */
export function makePlan(wish: PlanWish, by: Bytes, means: PlanningMeans): Promise<Plan> {
  return new Planning(wish, means).plan(by);
}

class Planning {
  readonly #wish: PlanWish;
  readonly #means: PlanningMeans;
  readonly #moves: { tree: Candidate; to: Move['to'] }[] = [];
  readonly #leftOut: LeftOut[] = [];
  readonly #notes: string[] = [];
  #hindrances!: Hindrances;
  #room!: Room;
  #destinations!: Destinations;
  #until = 0;

  constructor(wish: PlanWish, means: PlanningMeans) {
    [this.#wish, this.#means] = [wish, means];
  }

  async plan(by: Bytes): Promise<Plan> {
    const { directory, moves, now } = this.#means;
    const { meant, limits, sizes } = this.#wish;
    this.#refuseUnfit();
    const made = now();
    const [{ epoch }, position] = [await directory.standing(), await directory.head()];
    await this.#look(made);
    await this.#refuseUnknownPartitions();
    const emptied = meant.is === 'rebalance' ? await this.#rebalance(meant.within) : await this.#placeAll(meant);
    const rate = rateOf((await moves.done()).map(workOf));
    const planned = ordered(this.#moves.map((one) => plannedOf(one, (octets) => secondsOf(octets, rate))));
    return {
      ...{ made, by, asked: askedText(this.#wish), directory: { epoch, position }, emptied },
      ...{ servers: serversIn(planned), limits, rate },
      totals: totalsOf(planned, this.#leftOut, durationOf(planned, limits)),
      notes: [
        ...this.#notes,
        ...notesOf({ moves: planned, room: this.#room, rate, sizes, policy: this.#means.policy }),
      ],
      ...{ moves: planned, leftOut: this.#leftOut },
    };
  }

  #refuseUnfit(): void {
    const { meant, to, sizes } = this.#wish;
    const named = [...to.map(({ server }) => server), ...(meant.is === 'evacuate' ? [meant.server] : [])];
    const known = this.#means.registry.all().map(({ name }) => name);
    for (const server of named) {
      const text = textFromBytes(server);
      if (known.includes(text)) continue;
      throw new UnfitPlan(`there is no backend ${readable(server)}; it may be one of ${known.join(', ')}`);
    }
    if (meant.is === 'evacuate' && to.some(({ server }) => server === meant.server))
      throw new UnfitPlan(`${readable(meant.server)} is to be emptied, and can't be the destination too`);
    if (meant.is === 'rebalance' && !sizes) throw new UnfitPlan('to rebalance, sizes are needed');
    if (meant.is === 'rebalance' && to.length > 0)
      throw new UnfitPlan('to rebalance, the destinations are chosen by how full the servers are: name none');
  }

  /** A Cyrus server whose imapd is told of a partition that it has not dies of it. */
  async #refuseUnknownPartitions(): Promise<void> {
    for (const { server, partition } of this.#wish.to) {
      const { imap } = this.#means.registry.find(textFromBytes(server)) ?? {};
      if (partition === '' || !imap) continue;
      const [place, name] = [readable(server), readable(partition)];
      const facts = this.#room.servers.find((one) => one.name === textFromBytes(server));
      const told = (facts?.partitions ?? []).map((one) => one.name);
      if (told.length > 0 && !told.includes(textFromBytes(partition)))
        throw new UnfitPlan(`${place} has no partition ${name}; it may be one of ${told.join(', ')}`);
      const has = await this.#means.hasPartition(server, partition).catch((error: unknown) => {
        const why = readable(error instanceof Error ? error.message : String(error));
        this.#notes.push(
          `whether ${place} has the partition ${name} is not known, and is asked before each move: ${why}`,
        );
        return true;
      });
      if (!has) throw new UnfitPlan(`${place} has no partition ${name}: it says so itself`);
    }
  }

  /** What stands in the way of moves, and the room that there is, with all that is under way. */
  async #look(now: number): Promise<void> {
    const { directory, registry, moves, policy, chance, figures, promised } = this.#means;
    const open = await moves.open();
    const mute = new Set(registry.all().flatMap(({ name, imap }) => (imap ? [] : [name])));
    const unfitServer = (server: Bytes) => {
      if (!registry.find(textFromBytes(server))) return `its server ${readable(server)} is none of the backends`;
      return mute.has(textFromBytes(server)) ? `${readable(server)} ${unaskable}` : undefined;
    };
    const names = new Map(open.map(({ name, run }) => [name, run]));
    const waiting = new Map<Bytes, Pick<Move, 'name' | 'from' | 'to' | 'octets'> & { run: string }>();
    for await (const row of moves.waiting()) if (!names.has(row.name)) waiting.set(row.name, row);
    this.#hindrances = {
      ...{ cases: new Set(await directory.caseNames()), open: names, unfitServer },
      waiting: (name) => waiting.get(name)?.run,
      ordered: new Set(await this.#means.ordered()),
    };
    const servers = withPromises(await figures(), await promised());
    this.#room = new Room(servers, policy, now, chance);
    this.#destinations = new Destinations(this.#room, policy, this.#wish, mute);
    for (const { name, octets, from, to } of [...open, ...waiting.values()]) {
      const load = loadOf({ octets, user: !placeOf(name).shared });
      this.#room.take(textPlace(to), load);
      this.#room.free(textPlace(from), load);
    }
  }

  /** Gives the servers that are emptied. */
  async #placeAll(meant: Exclude<Meant, { is: 'rebalance' }>): Promise<Bytes[]> {
    const found = meant.is === 'evacuate' ? await this.#treesOn(meant.server) : await this.#named(meant);
    await this.#place(found);
    return meant.is === 'evacuate' ? [meant.server] : [];
  }

  async #treesOn(server: Bytes): Promise<Candidate[]> {
    const found: Candidate[] = [];
    for await (const walked of walkTrees(this.#means.directory, server)) {
      const { candidates, leftOut } = lookAtTree(walked, server, this.#hindrances);
      found.push(...candidates);
      this.#leftOut.push(...leftOut);
      await this.#breathe();
    }
    return found;
  }

  async #named(meant: Meant & { is: 'named' }): Promise<Candidate[]> {
    const { candidates, leftOut, notes } = await namedTrees(meant, {
      directory: this.#means.directory,
      hindrances: this.#hindrances,
      breathe: () => this.#breathe(),
    });
    this.#leftOut.push(...leftOut);
    this.#notes.push(...notes);
    return candidates;
  }

  /** The largest first: they find room as long as there is most. */
  async #place(trees: Candidate[]): Promise<void> {
    await this.#size(trees);
    this.#destinations.suppose(trees);
    trees.sort((one, other) => other.octets - one.octets || (one.name < other.name ? -1 : 1));
    for (const tree of trees) {
      const placed = this.#destinations.place(tree);
      if ('to' in placed) this.#moves.push({ tree, to: placed.to });
      else this.#leftOut.push({ name: tree.name, why: placed.why });
      await this.#breathe();
    }
  }

  async #size(trees: readonly Candidate[]): Promise<void> {
    if (!this.#wish.sizes) return;
    this.#notes.push(...(await findSizes(trees, this.#means.admins)), ...overQuotaNote(trees));
  }

  /** Empties what drains, then levels the others. Gives the servers that are emptied. */
  async #rebalance(within: number): Promise<Bytes[]> {
    const { policy } = this.#means;
    const draining = this.#room.servers.filter(({ name }) => policy.backends.get(name)?.drain).map(({ name }) => name);
    for (const name of draining) await this.#place(await this.#treesOn(bytesFromText(name)));
    const bins = this.#bins(draining);
    const unknown = this.#room.servers.filter(({ name }) => this.#room.spaceOf(name) === undefined);
    if (unknown.length > 0)
      this.#notes.push(`nothing is known of the room on ${unknown.map(({ name }) => name).join(', ')}`);
    const trees: (Candidate & { KiB: number; server: string })[] = [];
    for (const server of overfull(bins, within)) {
      const found = await this.#treesOn(bytesFromText(server));
      await this.#size(found);
      for (const tree of found) trees.push({ ...tree, server, ...loadOf(tree) });
    }
    rebalanced(bins, trees, within, {
      may: (tree, server) => this.#destinations.may(tree, server),
      taken: ({ tree, to }) => {
        const place = this.#destinations.on(tree, to);
        this.#destinations.move(tree, place);
        this.#moves.push({ tree, to: place });
      },
    });
    return draining.map(bytesFromText);
  }

  #bins(draining: readonly string[]): Bin[] {
    return this.#room.servers.flatMap(({ name }): Bin[] => {
      const space = this.#room.spaceOf(name);
      if (!space || draining.includes(name)) return [];
      const takes = this.#destinations.takes(name);
      return [{ name, ...space, roomKiB: Math.max(0, space.freeKiB), takes }];
    });
  }

  async #breathe(): Promise<void> {
    if (performance.now() < this.#until) return;
    await turn();
    this.#until = performance.now() + slice;
  }
}

function plannedOf({ tree, to }: { tree: Candidate; to: Move['to'] }, seconds: (octets: number) => number) {
  const { name, from, octets, sized, messages, version } = tree;
  const move: PlannedMove = { name, from, to, octets, sized, version, seconds: seconds(octets) };
  return messages === undefined ? move : { ...move, messages };
}

/** What a move that is over has taken, without the time that it was only watched. */
function workOf({ octets, times: { begun = 0, released = 0 } }: Move): { octets: number; seconds: number } {
  return { octets, seconds: (released - begun) / 1000 };
}
