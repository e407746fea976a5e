// Where each tree of a plan goes: where the operator says, or where placement's rules find room, tree by tree.
import { readable } from '../address/bytes.ts';
import { bytesFromText, textFromBytes } from '../directory/entry.ts';
import type { Bytes } from '../directory/entry.ts';
import type { Place } from './move.ts';
import { unaskable } from './move.ts';
import type { Policy } from '../placement/policy.ts';
import { alreadyAt, locationOf } from './plan.ts';
import type { Candidate } from './plan-trees.ts';
import type { Load, Room } from './room.ts';
import { supposedSizes } from './supposed-sizes.ts';

export interface Destination {
  /** The servers to choose from, with a partition or none; nothing: by placement. One alone is taken whatever placement says. */
  to: readonly Place[];
  /** In place of the zone of the server that a tree is on, in which it stays otherwise; `*`: any. */
  zone?: string | undefined;
  /** The server must have all of them. */
  tags?: readonly string[] | undefined;
}

export class Destinations {
  readonly #room: Room;
  readonly #policy: Policy;
  readonly #wish: Destination;
  readonly #among: ReadonlySet<string> | undefined;
  readonly #mute: ReadonlySet<string>;
  /** What a tree of unknown size counts as, in KiB, by its server. */
  #supposed: ReadonlyMap<string, number> = new Map();

  /** `mute`: the backends that nobody can ask, or have move anything. */
  constructor(room: Room, policy: Policy, wish: Destination, mute: ReadonlySet<string>) {
    [this.#room, this.#policy, this.#wish, this.#mute] = [room, policy, wish, mute];
    const names = wish.to.map(({ server }) => textFromBytes(server));
    this.#among = names.length === 0 ? undefined : new Set(names);
  }

  /** Sees what those of unknown size are to count as; before they are placed. */
  suppose(trees: readonly Candidate[]): void {
    const unknown = trees.filter(({ sized }) => sized === 'not');
    const from = new Set(unknown.map(({ from }) => textFromBytes(from.server)));
    const takers = this.#room.servers.filter(({ name }) => (this.#among?.has(name) ?? true) && this.takes(name));
    const free = takers.map(({ name }) => this.#room.spaceOf(name)?.freeKiB ?? 0);
    const room = free.reduce((sum, KiB) => sum + Math.max(0, KiB), 0);
    const { promisedKiB } = this.#policy;
    const filled = this.#room.servers.map(({ name, users }) => ({ name, users, space: this.#room.spaceOf(name) }));
    this.#supposed = supposedSizes(filled, from, { promisedKiB, most: room / Math.max(1, unknown.length) });
  }

  /** The place of a tree, for which the room counts as taken from then on; or why there is none, a phrase. */
  place(tree: Candidate): { to: Place } | { why: string } {
    const chosen = this.#choose(tree);
    if ('to' in chosen) this.move(tree, chosen.to);
    return chosen;
  }

  /** It goes there. */
  move(tree: Candidate, to: Place): void {
    const load = this.#load(tree);
    this.#room.take(textPlace(to), load);
    this.#room.free(textPlace(tree.from), load);
  }

  /** Whether a tree may go to a server, by placement's rules. */
  may(tree: Candidate, server: string): boolean {
    return this.#room.objection(server, this.requestOf(tree), this.#load(tree)) === undefined;
  }

  /** Whether a server gets anything at all, by placement's rules. */
  takes(server: string): boolean {
    const request = { name: 'any', not: this.#silent() };
    return this.#room.objection(server, request, { KiB: 0, user: true }) === undefined;
  }

  /** Where on a server that it may go to. */
  on(tree: Candidate, server: string): Place {
    const chosen = this.#room.choose({ ...this.requestOf(tree), server }, this.#load(tree));
    return bytesPlace('place' in chosen ? chosen.place : { server, partition: '' });
  }

  requestOf({ name, from }: Candidate) {
    const { zone = this.#policy.backends.get(textFromBytes(from.server))?.zone, tags } = this.#wish;
    return { name: textFromBytes(name), zone: zone === '*' ? undefined : zone, tags, not: this.#silent() };
  }

  #silent() {
    return Array.from(this.#mute, (server) => ({ server, is: 'refused' as const, why: unaskable }));
  }

  #load(tree: Candidate): Load {
    if (tree.sized !== 'not') return loadOf(tree);
    const KiB = this.#supposed.get(textFromBytes(tree.from.server)) ?? this.#policy.promisedKiB;
    return { KiB, user: tree.user };
  }

  #choose(tree: Candidate): { to: Place } | { why: string } {
    const [only, ...others] = this.#wish.to;
    if (only && others.length === 0) return this.#named(tree, only);
    if (this.#wish.to.some((to) => alreadyAt(tree.from, to)))
      return { why: `it is at ${readable(locationOf(tree.from))} already, which is one of the destinations` };
    const here = { server: textFromBytes(tree.from.server), is: 'refused' as const, why: 'it is there' };
    const request = this.requestOf(tree);
    const not = [here, ...request.not];
    const chosen = this.#room.choose({ ...request, not }, this.#load(tree), this.#among);
    if ('why' in chosen) return chosen;
    const to = bytesPlace(chosen.place);
    const partition = this.#wish.to.find(({ server }) => server === to.server)?.partition ?? '';
    return { to: partition === '' ? to : { ...to, partition } };
  }

  /** By an operator's word. */
  #named(tree: Candidate, to: Place): { to: Place } | { why: string } {
    if (alreadyAt(tree.from, to)) return { why: `it is at ${readable(locationOf(tree.from))} already` };
    if (this.#mute.has(textFromBytes(to.server))) return { why: `${readable(to.server)} ${unaskable}` };
    const partition = to.partition === '' ? undefined : textFromBytes(to.partition);
    const request = { name: textFromBytes(tree.name), server: textFromBytes(to.server), partition };
    const chosen = this.#room.choose(request, this.#load(tree));
    return 'why' in chosen ? chosen : { to: bytesPlace(chosen.place) };
  }
}

export function loadOf({ octets, user }: Pick<Candidate, 'octets' | 'user'>): Load {
  return { KiB: Math.ceil(octets / 1024), user };
}

export function textPlace({ server, partition }: Place): { server: string; partition: string } {
  return { server: textFromBytes(server), partition: textFromBytes(partition) };
}

function bytesPlace({ server, partition }: { server: string; partition: string }): Place {
  const bytes = (text: string): Bytes => bytesFromText(text);
  return { server: bytes(server), partition: bytes(partition) };
}
