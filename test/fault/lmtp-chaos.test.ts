// Mail through proxies, backends, a Redis and a directory that are killed, stopped, cut off and slowed at random: none is lost, nobody is bounced.
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { MupdateClient } from '../../services/mupdate/client.ts';
import { seededChance } from '../../services/placement/chance.ts';
import { Chaos, type Trouble } from '../harness/chaos.ts';
import { fillDirectory } from '../harness/directory.ts';
import { audit, type Birth, type Verdict } from '../harness/mail-audit.ts';
import { MailLoad } from '../harness/mail-load.ts';
import { RecordingBackend } from '../harness/recording-backend.ts';
import { startRedis, type ScratchRedis } from '../harness/redis.ts';
import { Rookery } from '../harness/rookery.ts';
import { until } from '../harness/until.ts';

const full = process.env['ROOKERY_TEST_SCALE'] === 'full';
const seed = Number(process.env['ROOKERY_TEST_SEED'] ?? Date.now() % 1_000_000);
const seconds = Number(process.env['ROOKERY_TEST_SECONDS'] ?? (full ? 600 : 10));
/** The longest that anything may take to be answered: the sum of all deadlines below, the longest stop, and a busy machine. */
const bound = 30_000;
/** All that is left is delivered within so many milliseconds after the last fault. */
const recovery = 60_000;

const anyPort = { host: '127.0.0.1', port: 0 };
const servers = ['mail1', 'mail2', 'mail3', 'mail4'];
const users = Array.from({ length: 40 }, (_, number) => `u${number}@example.org`);
const ghosts = Array.from({ length: 10 }, (_, number) => `ghost${number}@example.org`);

const deadlines = {
  ...{ connect_timeout: 2, wait_timeout: 2, envelope_timeout: 2, stall_timeout: 2, reply_timeout: 3 },
  ...{ transaction_timeout: 5, late_timeout: 120, shutdown_grace: 3, check_after: 1 },
  ...{ breaker_failures: 3, breaker_pause: 0.5, spool_after: 0.3, buffer: 65_536 },
};

class Stand {
  readonly redis: ScratchRedis;
  readonly backends: RecordingBackend[];
  readonly directory: Rookery;
  /** By their names. */
  readonly proxies: ReadonlyMap<string, Rookery>;
  /** What was said last by programs that ended by themselves. */
  readonly deaths: string[] = [];
  readonly #running = new Set<Rookery>();

  private constructor(
    redis: ScratchRedis,
    backends: RecordingBackend[],
    directory: Rookery,
    proxies: ReadonlyMap<string, Rookery>,
  ) {
    this.redis = redis;
    this.backends = backends;
    this.directory = directory;
    this.proxies = proxies;
  }

  static async start(t: TestContext): Promise<Stand> {
    // The last that was begun ends first, but what is stopped could not end.
    const ends: (() => unknown)[] = [];
    t.after(async () => {
      for (const end of ends.toReversed()) await end();
    });
    const redis = await startRedis({ appendfsync: 'always' });
    ends.push(() => redis.stop());
    await fillDirectory(
      redis.socket,
      users.map((user, number) => [`user.${localOf(user)}`, `${servers[number % servers.length] ?? ''}!default`]),
    );
    const folder = await mkdtemp(join(tmpdir(), 'rookery-chaos-'));
    ends.push(() => rm(folder, { recursive: true, force: true }));
    const start = (name: string, number: number) => RecordingBackend.start(name, folder, seed + 1000 * number);
    const backends = await Promise.all(servers.map(start));
    ends.push(() => Promise.all(backends.map((backend) => backend.close())));
    const config = (more: object) => ({
      redis: { url: redis.socket },
      log: { level: 'warn' },
      backends: Object.fromEntries(
        backends.map(({ name, relay }) => [
          name,
          { mupdate: false, lmtp: { host: '127.0.0.1', port: relay.port, connections: 8 } },
        ]),
      ),
      ...more,
    });
    const directory = await Rookery.layOut(
      config({
        directory: { redis_timeout: 1, listen: [anyPort], users: { boss: { password: 'geheim', admin: true } } },
      }),
    );
    ends.push(() => directory.stop());
    const proxies = new Map<string, Rookery>();
    for (const name of ['a', 'b']) {
      const directory = { redis_timeout: 1, routing_lease: 3, max_stale: 60 };
      const lmtp = { listen: [anyPort], workers: 1, ...deadlines };
      const proxy = await Rookery.layOut(config({ servername: `${name}.proxy`, directory, lmtp }));
      ends.push(() => proxy.stop());
      proxies.set(`${name}.proxy`, proxy);
    }
    const stand = new Stand(redis, backends, directory, proxies);
    ends.push(() => {
      stand.wake();
    });
    await Promise.all([
      stand.begin(directory, 'directory'),
      ...[...proxies.values()].map((one) => stand.begin(one, 'lmtp')),
    ]);
    const { code, err } = await directory.command('directory', 'trust', '--yes');
    assert.equal(code, 0, err);
    return stand;
  }

  /** Starts a program, however often that takes: its Redis may be away, and its supervisor would not give up. */
  async begin(program: Rookery, role: string): Promise<void> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        await program.start('run', role);
        break;
      } catch (error) {
        if (attempt === 20) throw error;
        await program.end('SIGKILL');
        await sleep(300);
      }
    }
    this.#running.add(program);
  }

  async end(program: Rookery, signal: NodeJS.Signals): Promise<void> {
    this.lookFor(program);
    this.#running.delete(program);
    await program.end(signal);
  }

  address(program: Rookery, name: 'LMTP' | 'MUPDATE'): { host: string; port: number } | undefined {
    return this.#running.has(program) ? program.address(name) : undefined;
  }

  /** Notes whether one that should run has ended by itself. */
  lookFor(program: Rookery): void {
    if (this.#running.has(program) && !signalled(program.pid, 0))
      this.deaths.push(JSON.stringify(program.log.slice(-3)));
  }

  /** Nothing is left stopped that is to be ended. */
  wake(): void {
    for (const program of this.#running) signalled(program.pid, 'SIGCONT');
    if (this.redis.pid !== undefined) signalled(this.redis.pid, 'SIGCONT');
  }

  /** All that may be done to it. */
  troubles(): Trouble[] {
    const programs = [...this.proxies].flatMap(([name, proxy]) => [
      ...this.#programTroubles(name, proxy, 'lmtp', 3),
      this.#ending(name, proxy, 'lmtp', 'restart', 'SIGTERM', 1),
    ]);
    const directory = this.#programTroubles('directory', this.directory, 'directory', 1);
    return [...programs, ...directory, ...this.#redisTroubles(), ...this.backends.flatMap(backendTroubles)];
  }

  #programTroubles(target: string, program: Rookery, role: string, weight: number): Trouble[] {
    const stop = stopping({ target, weight, longest: 4000 }, (signal) => {
      signalled(program.pid, signal);
    });
    return [this.#ending(target, program, role, 'kill', 'SIGKILL', weight), stop];
  }

  #ending(
    target: string,
    program: Rookery,
    role: string,
    kind: string,
    signal: NodeJS.Signals,
    weight: number,
  ): Trouble {
    const [begin, end] = [() => this.end(program, signal), () => this.begin(program, role)];
    return { ...{ target, kind, weight, longest: 1000 }, begin, end };
  }

  #redisTroubles(): Trouble[] {
    const [target, { redis }] = ['redis', this];
    const stop = stopping({ target, weight: 1.5, longest: 3000 }, (signal) => {
      process.kill(redis.pid ?? 0, signal);
    });
    const [begin, end] = [() => redis.kill9(), () => redis.restart()];
    return [{ ...{ target, kind: 'kill', weight: 1.5, longest: 2500 }, begin, end }, stop];
  }
}

/** False when there is no such process. */
function signalled(pid: number, signal: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(pid, signal);
  } catch {
    return false;
  }
}

function stopping(
  about: Pick<Trouble, 'target' | 'weight' | 'longest'>,
  signal: (signal: NodeJS.Signals) => void,
): Trouble {
  const begin = (): void => {
    signal('SIGSTOP');
  };
  const end = (): void => {
    signal('SIGCONT');
  };
  return { ...about, kind: 'stop', begin, end };
}

function backendTroubles(backend: RecordingBackend): Trouble[] {
  const { name: target, relay } = backend;
  const pace = (kind: 'hold' | 'hold replies' | 'dribble', longest: number): Trouble => {
    const [begin, end] = [() => void (relay.pace = kind), () => void (relay.pace = 'pass')];
    return { ...{ target, kind, weight: 0.7, longest }, begin, end };
  };
  const stop = stopping({ target, weight: 0.8, longest: 6000 }, (signal) => {
    backend.signal(signal);
  });
  const cut = (): void => {
    relay.refusing = true;
    relay.cut();
  };
  return [
    ...[stop, pace('hold', 6000), pace('hold replies', 8000), pace('dribble', 4000)],
    { ...{ target, kind: 'kill', weight: 1, longest: 1500 }, begin: () => backend.kill(), end: () => backend.begin() },
    { ...{ target, kind: 'cut', weight: 1, longest: 1000 }, begin: cut, end: () => void (relay.refusing = false) },
    {
      ...{ target, kind: 'swallow', weight: 0.5, longest: 500 },
      begin: () => void (relay.swallowing = true),
      end: () => void (relay.swallowing = false),
    },
    // What was sent to it by then never comes to it.
    {
      ...{ target, kind: 'stop, then kill', weight: 0.8, longest: 2500 },
      begin: () => {
        backend.signal('SIGSTOP');
      },
      end: () => backend.kill().then(() => backend.begin()),
    },
    {
      ...{ target, kind: 'hold messages, then cut', weight: 0.8, longest: 2500 },
      begin: () => void (relay.pace = 'hold messages'),
      end: () => {
        relay.cut();
        relay.pace = 'pass';
      },
    },
  ];
}

function localOf(address: string): string {
  return address.slice(0, address.indexOf('@'));
}

/** New mailboxes all the time, told to the directory by MUPDATE; mail to the next of them is tried before there is one. */
class Births {
  readonly births = new Map<string, Birth>();
  readonly #stand: Stand;
  readonly #chance = seededChance(seed + 3);
  #ends = false;
  readonly #running: Promise<void>;

  constructor(stand: Stand) {
    this.#stand = stand;
    this.#running = this.#run();
  }

  get next(): string {
    return `born${this.births.size}@example.org`;
  }

  get there(): string[] {
    return [...this.births].filter(([, birth]) => birth.there < Infinity).map(([user]) => user);
  }

  /** Ends when the one that was asked for is there. */
  async stop(): Promise<void> {
    this.#ends = true;
    await this.#running;
  }

  async #run(): Promise<void> {
    while (!this.#ends) {
      await sleep(300 + this.#chance() * 1200);
      const user = this.next;
      const server = servers[Math.floor(this.#chance() * servers.length)] ?? '';
      const birth = { asked: Date.now(), there: Infinity };
      this.births.set(user, birth);
      const deadline = Date.now() + recovery;
      while (!(await this.#make(`user.${localOf(user)}`, `${server}!default`))) {
        if (Date.now() > deadline) throw new Error(`the directory has not made ${user} in ${recovery} ms`);
        await sleep(200);
      }
      birth.there = Date.now();
    }
  }

  async #make(name: string, location: string): Promise<boolean> {
    const address = this.#stand.address(this.#stand.directory, 'MUPDATE');
    if (!address) return false;
    try {
      const client = await MupdateClient.connect({ address, username: 'boss', password: 'geheim', timeout: 5000 });
      const { status } = await client.send('ACTIVATE', [name, location, 'x\tlrs\t']).finally(() => {
        client.destroy();
      });
      return status === 'OK';
    } catch {
      return false;
    }
  }
}

/** How many there are of each, by a name. */
function counted(names: readonly string[]): string {
  const groups = [...Map.groupBy(names, (name) => name)].toSorted(([one], [other]) => (one < other ? -1 : 1));
  return groups.map(([name, all]) => `${name} ${all.length}`).join(', ');
}

function tell(
  t: TestContext,
  stand: Stand,
  { load, chaos, verdict }: { load: MailLoad; chaos: Chaos; verdict: Verdict },
): void {
  const { messages, sessions, longest } = load;
  const slots = messages.flatMap(({ attempts }) => attempts.flatMap((attempt) => attempt.slots));
  const kinds = chaos.faults.map(({ target, kind }) => `${target.replace(/^.\.|\d$/, '')} ${kind}`);
  const copies = stand.backends.flatMap((backend) => backend.stored().flatMap(({ rcpts }) => rcpts)).length;
  t.diagnostic(
    `${messages.length} messages, ${messages.flatMap(({ rcpts }) => rcpts).length} recipients, ${slots.length} attempts at one`,
  );
  t.diagnostic(`heard by the MTA: ${counted(slots.map(({ code }) => (code === 0 ? 'nothing' : String(code))))}`);
  t.diagnostic(
    `${copies} copies delivered; ${sessions.begun} sessions, ${sessions.broken} of them broken; the longest answer took ${longest} ms`,
  );
  t.diagnostic(`${chaos.faults.length} faults: ${counted(kinds)}`);
  const { lost, bounced, unexplained, spared } = verdict;
  const acknowledged = slots.filter(({ code }) => code === 250).length;
  t.diagnostic(`${acknowledged} acknowledged, ${lost.length} of them not delivered; ${bounced.length} bounced wrongly`);
  t.diagnostic(`sessions or messages without an end: ${load.unanswered.length}`);
  const twice = [...verdict.twice].toSorted(([, one], [, other]) => other - one);
  const sum = twice.reduce((all, [, count]) => all + count, unexplained.length);
  t.diagnostic(`delivered twice: ${sum}, ${unexplained.length} of them without a reason on record`);
  for (const [reason, count] of twice) t.diagnostic(`  ${count}: ${reason}`);
  t.diagnostic(`taken unheard, and not delivered again: ${spared}`);
}

test(`mail for ${seconds} s of chaos, ROOKERY_TEST_SEED=${seed}`, { timeout: (seconds + 150) * 1000 }, async (t) => {
  const stand = await Stand.start(t);
  const births = new Births(stand);
  const load = new MailLoad({
    ...{ seed, sessions: full ? 20 : 10, bound, pause: 60 },
    doors: Object.fromEntries([...stand.proxies].map(([name, proxy]) => [name, () => stand.address(proxy, 'LMTP')])),
    known: () => [...users, ...births.there],
    unknown: () => [...ghosts, births.next],
  });
  const chaos = new Chaos(stand.troubles(), seed + 1, 4);
  await chaos.reign(seconds * 1000);
  await births.stop();
  load.settle();
  await until('all that is queued is delivered', () => load.open === 0, recovery).catch((error: unknown) => {
    load.unanswered.push(`${load.open} messages are left: ${(error as Error).message}`);
  });
  await load.stop();
  const verdict = audit({
    ...{ messages: load.messages, faults: chaos.faults, births: births.births },
    stored: stand.backends.flatMap((backend) => backend.stored()),
    connections: stand.backends.flatMap(({ relay }) => relay.connections),
    always: (rcpt) => users.includes(rcpt),
    grace: deadlines.shutdown_grace * 1000,
  });
  tell(t, stand, { load, chaos, verdict });
  const { lost, bounced, invented, damaged, unexplained } = verdict;
  for (const program of [stand.directory, ...stand.proxies.values()]) stand.lookFor(program);
  assert.deepEqual(
    { lost, bounced, invented, damaged, unexplained, unanswered: load.unanswered, deaths: stand.deaths },
    { lost: [], bounced: [], invented: [], damaged: [], unexplained: [], unanswered: [], deaths: [] },
  );
  assert.ok(load.messages.length > 20, 'a load');
});
