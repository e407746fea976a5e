// Whether a tree finds room where it goes: on the partitions that it will lie in, beside what earlier moves will still take.
import { readable } from '../address/bytes.ts';
import type { ImapAdmins } from '../backends/imap-admins.ts';
import type { FreeSpace } from '../backends/imap-space.ts';
import type { PartitionSpace, Registry } from '../backends/registry.ts';
import type { CyrusPartitions } from './cyrus-partitions.ts';
import type { Objection } from './driver.ts';
import type { Move } from './move.ts';

export interface RoomMeans {
  registry: Pick<Registry, 'find'>;
  admins: Pick<ImapAdmins, 'ask'>;
  partitions: Pick<CyrusPartitions, 'plan'>;
  /** What must be left at the destination, in KiB. */
  margin: number;
  /** All open moves. */
  open: () => Promise<readonly Move[]>;
}

/** A tree takes more room than its messages: indexes, caches, blocks. */
const overhead = 1.1;

/** What is left somewhere, in KiB, and for which moves some of it is meant. */
interface Left {
  availableKiB: number;
  /** Completes "mail2 has 7 KiB left". */
  where: string;
  promised: readonly Move[];
}

/**
 * Looked at on each partition that it will lie in, be it on its way, as if all of it came there: how it is spread is not
 * known. Undefined when nothing stands against it. Rejects where a server gave no answer.
 */
export async function roomFor(move: Move, means: RoomMeans): Promise<Objection | undefined> {
  const { admins, margin } = means;
  const needed = Math.ceil((await sizeKiB(move, admins)) * overhead) + margin;
  for (const { availableKiB, where, promised } of await leftFor(move, means)) {
    // Of those of whose size nothing is known, nothing: their sources may be others, and silent.
    const promisedKiB = Math.ceil(promised.reduce((sum, { octets }) => sum + octets / 1024, 0) * overhead);
    if (availableKiB - promisedKiB >= needed) continue;
    const beside = promised.length === 0 ? '' : `, ${promisedKiB} of it for ${promised.length} moves before this one`;
    const left = `${readable(move.to.server)} has ${availableKiB} KiB left${where}${beside}`;
    return { is: 'now', why: `${left}, and ${needed} are needed (${margin} of it to be left)` };
  }
  return undefined;
}

/** What the operator says of partitions goes before what the server says, which is only of all of them together. */
async function leftFor(move: Move, { registry, admins, partitions, open }: RoomMeans): Promise<Left[]> {
  const { server } = move.to;
  const plan = await partitions.plan(move);
  // What it lacks is an objection of its own.
  if ('lacking' in plan) return [];
  const before = (await open()).filter((other) => isBefore(other, move));
  const said = registry.find(server)?.space ?? [];
  const told = plan.into.map((name) => said.find((one) => one.name === name));
  const known = told.flatMap((one) => (one === undefined ? [] : [one]));
  const left: Left[] = known.map((one) => ({
    ...{ availableKiB: one.availableKiB, where: ` on ${readable(one.name)}` },
    promised: before.filter((other) => isBeside(other, one, said)),
  }));
  if (known.length > 0 && known.length === told.length) return left;
  const free = await admins.ask(server, (admin) => admin.freeSpace());
  // What lies there by now the server has taken off itself.
  const promised = before.filter(({ times }) => times.copied === undefined && times.answered === undefined);
  const all = { availableKiB: free.total.availableKiB, where: '', promised };
  return [...left, all, { availableKiB: mostOfOne(free), where: ' on any one filesystem', promised: [] }];
}

/**
 * The most that any one filesystem of the server may have left. It tells all of them together, and the one that is emptiest:
 * whichever it goes to is that one, or among the others.
 */
export function mostOfOne({ total, emptiest }: FreeSpace): number {
  if (emptiest.totalKiB >= total.totalKiB) return total.availableKiB;
  return Math.max(emptiest.availableKiB, total.availableKiB - emptiest.availableKiB);
}

/**
 * Of two that are looked at at the same time one must go: whoever was taken up later leaves the room to the other one,
 * unless he is past his look at it already.
 */
function isBefore(other: Move, move: Move): boolean {
  if (other.name === move.name || other.state !== 'open' || other.to.server !== move.to.server) return false;
  if (other.cancelled && other.attempts === 0) return false;
  const [one, mine] = [other.times.begun ?? Infinity, move.times.begun ?? Infinity];
  return other.times.held !== undefined || one < mine || (one === mine && one < Infinity && other.name < move.name);
}

/** Whether it goes to the same filesystem. Without a partition it goes to the one of the same name as its source's, where that is known. */
function isBeside({ from, to }: Move, { name, filesystem }: PartitionSpace, said: readonly PartitionSpace[]): boolean {
  const partition = to.partition === '' ? from.partition : to.partition;
  if (partition === '' || partition === name) return true;
  return filesystem !== undefined && said.find((one) => one.name === partition)?.filesystem === filesystem;
}

/** In KiB, as was planned, or as its quota tells; 0 where nobody knows. */
export async function sizeKiB({ octets, name, from }: Move, admins: Pick<ImapAdmins, 'ask'>): Promise<number> {
  if (octets > 0) return Math.ceil(octets / 1024);
  const use = await admins.ask(from.server, (admin) => admin.quota(name));
  return use?.storageKiB?.used ?? 0;
}
