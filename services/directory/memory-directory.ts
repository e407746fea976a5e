// The reference model of the directory: rows in a map, one shard, the rules taken at their word.
import { readable } from '../address/bytes.ts';
import { byAge, isOwn, rivalRows, rungFor, wholeServer, type Case, type Caseload } from './case.ts';
import { resolved } from './resolving.ts';
import { MemoryCopies } from './memory-copies.ts';
import { MemoryGraves } from './memory-graves.ts';
import { MemoryLeases } from './memory-leases.ts';
import { MemoryLog, changeOf, type Mark } from './memory-log.ts';
import { sortByName } from './order.ts';
import { policyOf } from './rules.ts';
import { answerText, applied, caseAfter, isTakenWhole, ruleOf, situationOf, undoes, type Known } from './ruling.ts';
import { bound, confirmed, isPending, isUnderWay, mayBeUnheard, settled, type Settled } from './settling.ts';
import { isNearTo, placeOf } from './tree.ts';
import type {
  Answer,
  Change,
  Concern,
  Directory,
  Ending,
  Feed,
  FeedListener,
  Lease,
  Lookup,
  Nearby,
  Position,
  Resolution,
  Settlement,
  Snapshot,
  Standing,
  Write,
  Writer,
} from './directory.ts';
import { isUnder, serverOf, type Bytes, type Entry, type Row } from './entry.ts';
import type { Policy } from './rules.ts';

export interface MemoryDirectoryOptions {
  policy?: Policy;
  /** Milliseconds since 1970. */
  clock?: () => number;
}

/** Loses everything with its process: what tests compare the real directory with, and never a server's directory. */
export class MemoryDirectory implements Directory {
  readonly copies: MemoryCopies;
  readonly #policy: Policy;
  readonly #clock: () => number;
  readonly #rows = new Map<Bytes, Entry>();
  readonly #cases = new Map<Bytes, Case>();
  readonly #leases: MemoryLeases;
  readonly #graves: MemoryGraves;
  readonly #log = new MemoryLog();
  /** By session, the names that its end has to do with. */
  readonly #left = new Map<string, Set<Bytes>>();
  #standing: Omit<Standing, 'blank'> = {
    ...{ epoch: 1, heard: [], vouched: undefined, settled: false, lost: undefined, doubt: undefined },
  };

  constructor(options: MemoryDirectoryOptions = {}) {
    this.#policy = options.policy ?? policyOf('strict');
    this.#clock = options.clock ?? Date.now;
    this.copies = new MemoryCopies(this.#clock);
    this.#leases = new MemoryLeases(this.#clock, (tree) => {
      const row = this.#rows.get(tree);
      this.#log.append(changeOf(tree, row, row, this.#clock(), { session: '', by: '', cause: 'lease' }));
    });
    this.#graves = new MemoryGraves(this.#policy.times);
  }

  write(write: Write, writer: Writer): Promise<Answer> {
    const now = this.#clock();
    const { session, by = '' } = writer;
    const [row, open] = [this.#rows.get(write.name), this.#cases.get(write.name)];
    const populating = !this.#standing.settled && !this.#standing.vouched;
    const copy = this.copies.of(write.name);
    const known: Known = { row, rivals: open?.rivals ?? [], lease: this.#leases.on(write.name), copy, populating };
    const cell = this.#policy.table[situationOf(known, write, writer, this.#policy, now)][write.verb];
    const rule = ruleOf(cell, known, write, writer);
    const text = answerText(rule, row, write, writer, now);
    const after = applied(rule.effect, known, write, writer, now);
    this.#put(write.name, row, after.row, after.logged, { session, by, cause: write.verb });
    if (isTakenWhole(rule, write) && after.row) void this.copies.end(write.name, serverOf(after.row.location));
    this.#keep(write.name, caseAfter(open, rule, after, write, writer, now));
    const pending = mayBeUnheard(rule, write, writer) || isPending(after.row, session);
    if (pending) this.#left.set(session, (this.#left.get(session) ?? new Set()).add(write.name));
    const at = { shard: 0, seq: this.#log.length };
    const undone = undoes(rule, write, writer) ? this.#settle(writer, 'refused').restored : [];
    const ring = undone.length > 0 ? 'refused: its deletions are put back' : rule.ring;
    return Promise.resolve({ ok: rule.ok, text, at, pending, ...(ring === undefined ? {} : { ring }) });
  }

  end(session: string, how: Ending, by = ''): Promise<Settlement> {
    return Promise.resolve(this.#settle({ session, by }, how));
  }

  bind(session: string, server: Bytes): Promise<Settlement> {
    return Promise.resolve(
      this.#settleEach(session, { session, by: '', cause: 'bind' }, (row) => bound(row, session, server)),
    );
  }

  sweep(_node: string, isLive: (session: string) => boolean): Promise<Settlement> {
    const over = [...this.#left.keys()]
      .filter((session) => !isLive(session))
      .map((session) => this.#settle({ session }, 'cut'));
    return Promise.resolve({ restored: over.flatMap((one) => one.restored), rung: over.flatMap((one) => one.rung) });
  }

  lookup(names: readonly Bytes[]): Promise<Lookup> {
    const entries = names.map((name) => this.#rows.get(name) ?? this.#graves.at(name, this.#clock()));
    const concerns = names.map((name) => this.#concern(name));
    return Promise.resolve({ entries, concerns, begun: this.#clock(), standing: this.#present() });
  }

  list(locationPrefix: Bytes): Promise<Entry[]> {
    const rows = [...this.#rows.values()].filter(({ location }) => isUnder(location, locationPrefix));
    const server = wholeServer(locationPrefix);
    const rivals = server === undefined ? [] : rivalRows([...this.#cases.values()], server);
    return Promise.resolve(sortByName([...rows, ...rivals]));
  }

  tree(name: Bytes): Promise<Entry[]> {
    return Promise.resolve(this.#sorted((entry) => placeOf(entry.name).tree === placeOf(name).tree));
  }

  nearby(domain: Bytes, isNear: (component: Bytes) => boolean): Promise<Nearby> {
    const begun = this.#clock();
    const all = new Set([...this.#rows.keys(), ...this.#cases.keys(), ...this.#graves.names(begun)]);
    const names = [...all].filter((name) => isNearTo(name, domain, isNear));
    return Promise.resolve({ names, begun, standing: this.#present() });
  }

  snapshot(): Promise<Snapshot> {
    return Promise.resolve({ entries: this.#sorted(() => true), at: this.#log.at() });
  }

  head(): Promise<Position> {
    return Promise.resolve(this.#log.at());
  }

  history(name: Bytes | undefined, most: number): Promise<Change[]> {
    return Promise.resolve(this.#log.history(name, most));
  }

  follow(from: Position, listener: FeedListener): Feed {
    return this.#log.follow(from, listener);
  }

  standing(): Promise<Standing> {
    return Promise.resolve(this.#present());
  }

  heard(server: Bytes, required: readonly Bytes[], begun: number): Promise<void> {
    const heard = [...new Set([...this.#standing.heard, server])].sort();
    const settledNow = this.#standing.settled || required.every((one) => heard.includes(one));
    this.#standing = { ...this.#standing, heard, settled: settledNow };
    for (const open of [...this.#cases.values()]) {
      const row = this.#rows.get(open.name);
      const next = confirmed(row, open, server, begun);
      if (next.row !== row) this.#put(open.name, row, next.row, true, { session: open.session, by: '', cause: 'push' });
      if (next.closed) this.#cases.delete(open.name);
    }
    return Promise.resolve();
  }

  servers(): Promise<Map<Bytes, number>> {
    const counts = new Map<Bytes, number>();
    for (const row of this.#rows.values())
      counts.set(serverOf(row.location), (counts.get(serverOf(row.location)) ?? 0) + 1);
    return Promise.resolve(counts);
  }

  distrust(why: string): Promise<void> {
    const epoch = Math.max(this.#standing.epoch + 1, this.#clock() * 1000);
    const begun = { epoch, heard: [], vouched: undefined, settled: false };
    this.#standing = { ...this.#standing, ...begun, lost: why };
    return Promise.resolve();
  }

  vouch(by: Bytes): Promise<void> {
    this.#standing = { ...this.#standing, vouched: { by, at: this.#clock() } };
    return Promise.resolve();
  }

  case(name: Bytes): Promise<Case | undefined> {
    return Promise.resolve(this.#cases.get(name));
  }

  cases(): Promise<Case[]> {
    return Promise.resolve([...this.#cases.values()].sort(byAge));
  }

  caseNames(): Promise<Bytes[]> {
    return this.cases().then((all) => all.map(({ name }) => name));
  }

  caseload(): Promise<Caseload> {
    return this.cases().then((all) => ({ count: all.length, oldest: all[0]?.since }));
  }

  resolve(resolution: Resolution): Promise<boolean> {
    const { name, expected, action, session, by } = resolution;
    const [row, open, now] = [this.#rows.get(name), this.#cases.get(name), this.#clock()];
    if (JSON.stringify(row) !== JSON.stringify(expected) || open?.rung !== resolution.rung)
      return Promise.resolve(false);
    if (action === 'claim' && isUnderWay(row)) return Promise.resolve(false);
    const { rivals, reason, ...done } = resolved(row, open, resolution, now);
    const cause = action === 'claim' ? 'claim' : 'reconcile';
    this.#put(name, row, done.row, done.logged, { session, by, cause });
    const opener = action === 'claim' ? session : (open?.session ?? session);
    this.#keep(name, reason === undefined ? undefined : rungFor(open, { name, reason, session: opener, rivals }, now));
    return Promise.resolve(true);
  }

  suspect(name: Bytes, reason: string, session: string, now = this.#clock()): Promise<void> {
    const open = this.#cases.get(name);
    this.#cases.set(name, rungFor(open, { name, reason, session, rivals: open?.rivals ?? [] }, now));
    return Promise.resolve();
  }

  note(name: Bytes, waiting: string): Promise<void> {
    const open = this.#cases.get(name);
    if (open) this.#cases.set(name, { ...open, waiting });
    return Promise.resolve();
  }

  lease(name: Bytes, lease: Lease, milliseconds: number): Promise<boolean> {
    return Promise.resolve(this.#leases.take(name, lease, milliseconds));
  }

  release(name: Bytes, token: string): Promise<void> {
    this.#leases.release(name, token);
    return Promise.resolve();
  }

  close(): Promise<void> {
    this.#log.close();
    return Promise.resolve();
  }

  #present(): Standing {
    return { ...this.#standing, blank: this.#log.length === 0 };
  }

  #concern(name: Bytes): Concern | undefined {
    const lease = this.#leases.on(name);
    if (lease) return { kind: 'lease', text: `under a move lease to ${readable(lease.destination)}` };
    const reason = this.#rows.has(name) ? undefined : this.#cases.get(name)?.reason;
    return reason === undefined ? undefined : { kind: 'reconciliation', text: reason };
  }

  #settle(writer: { session: string; by?: string }, how: Ending): Settlement {
    const { session, by = '' } = writer;
    const now = this.#clock();
    const ended = (row: Row, name: Bytes) => settled(name, row, session, how, now);
    return this.#settleEach(session, { session, by, cause: how }, ended);
  }

  #settleEach(left: string, mark: Mark, fate: (row: Row, name: Bytes) => Settled): Settlement {
    const names = [...(this.#left.get(left) ?? [])].sort();
    const entries = names.flatMap((name) => this.#rows.get(name) ?? []);
    const [restored, rung, now]: [Bytes[], Bytes[], number] = [[], [], this.#clock()];
    for (const entry of entries) {
      const { name, version, ...row } = entry;
      const [{ row: next, ring }, open] = [fate(row, name), this.#cases.get(name)];
      this.#put(name, row, next, next?.state !== row.state, mark);
      if (next === undefined) this.#graves.bury(entry, now);
      if (next?.state === 'active' && row.state !== 'active') restored.push(name);
      if (ring !== undefined) {
        rung.push(name);
        void this.suspect(name, ring, mark.session, now);
      } else if (next === undefined && open && isOwn(open)) this.#cases.delete(name);
    }
    const isOver = mark.cause === 'cut' || mark.cause === 'logout';
    const stays = ({ name, state }: Entry) => isPending(this.#rows.get(name), left) || (state === 'active' && !isOver);
    this.#left.set(left, new Set(entries.filter(stays).map(({ name }) => name)));
    return { restored, rung };
  }

  #keep(name: Bytes, open: Case | undefined): void {
    if (open) this.#cases.set(name, open);
    else this.#cases.delete(name);
  }

  /** Puts a row in its place; a change that readers must hear of goes into the log. */
  #put(name: Bytes, row: Row | undefined, next: Row | undefined, logged: boolean, mark: Mark): void {
    const before = this.#rows.get(name);
    if (!logged) {
      if (next && before) this.#rows.set(name, { ...next, name, version: before.version });
      return;
    }
    const version = this.#log.length + 1;
    if (next === undefined) this.#rows.delete(name);
    else this.#rows.set(name, { ...next, name, version });
    this.#log.append(changeOf(name, row, next, this.#clock(), mark));
  }

  #sorted(wanted: (entry: Entry) => boolean): Entry[] {
    return sortByName(Array.from(this.#rows.values()).filter(wanted));
  }
}
