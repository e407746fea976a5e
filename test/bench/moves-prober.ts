// Asks proxies whether they take mail for whoever is being moved just now, each millisecond: a process of its own for the benchmark
// of moves. Told of a Redis and of proxies; it follows the change log, and says at the end how long each was behind it.
import { once } from 'node:events';
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Change } from '../../services/directory/directory.ts';
import { serverOf } from '../../services/directory/entry.ts';
import type { Address } from '../harness/cyrus-config.ts';
import { openScratchDirectory } from '../harness/directory.ts';

export interface Probed {
  name: string;
  /** When the lease was taken, the destination's ACTIVATE came, and the lease was given back; milliseconds since 1970. */
  leased: number;
  activated: number | undefined;
  released: number | undefined;
  /** Of each proxy, the first 250 after the lease was given back; and how many replies were not 250 before. */
  taken: (number | undefined)[];
  deferred: number[];
  /** How long each reply took, whatever it was, in milliseconds: what the machine itself is good for. */
  took: number[];
  /** Replies that were neither 250 nor 4xx. */
  wrong: string[];
}

export interface ProberTask {
  socket: string;
  proxies: Address[];
}

/** So long is waited for a 250, in milliseconds. */
const patience = 10_000;

class Probe {
  readonly probed: Probed;
  readonly #proxies: readonly Address[];

  constructor(name: string, leased: number, proxies: readonly Address[]) {
    const taken = proxies.map(() => undefined);
    this.#proxies = proxies;
    this.probed = {
      ...{ name, leased, activated: undefined, released: undefined, taken, deferred: proxies.map(() => 0), wrong: [] },
      took: [],
    };
    proxies.forEach((_, at) => void this.#ask(at).catch((error: unknown) => this.probed.wrong.push(String(error))));
  }

  async #ask(at: number): Promise<void> {
    const { probed } = this;
    const login = probed.name.slice('user.'.length);
    const session = await Session.open(this.#proxies[at] as Address);
    const end = Date.now() + patience;
    while (Date.now() < end && probed.taken[at] === undefined) {
      const asked = performance.now();
      const reply = await session.ask(login);
      const now = Date.now();
      probed.took.push(Math.round(10 * (performance.now() - asked)) / 10);
      if (reply.startsWith('250') && probed.released !== undefined) probed.taken[at] = now;
      else if (reply.startsWith('4')) probed.deferred[at] = (probed.deferred[at] ?? 0) + 1;
      else if (!reply.startsWith('250')) probed.wrong.push(reply);
      await sleep(1);
    }
    session.close();
  }
}

/** One LMTP session that asks for a recipient again and again. */
class Session {
  readonly #socket: Socket;
  #seen = '';
  #wake: () => void = () => undefined;

  private constructor(socket: Socket) {
    this.#socket = socket.setNoDelay(true).setEncoding('latin1');
    socket.on('error', () => undefined);
    socket.on('close', () => {
      this.#wake();
    });
    socket.on('data', (text) => {
      this.#seen += text.toString();
      this.#wake();
    });
  }

  static async open(address: Address): Promise<Session> {
    const socket = connect(address);
    await once(socket, 'connect');
    const session = new Session(socket);
    await session.#replies(1);
    socket.write('LHLO bench.example.org\r\n');
    await session.#replies(1);
    return session;
  }

  /** The reply to RCPT. */
  async ask(login: string): Promise<string> {
    this.#socket.write(`RSET\r\nMAIL FROM:<sender@example.org>\r\nRCPT TO:<${login}>\r\n`, 'latin1');
    return (await this.#replies(3)).at(-1) ?? '';
  }

  close(): void {
    this.#socket.end('QUIT\r\n');
  }

  async #replies(count: number): Promise<string[]> {
    for (;;) {
      const last = [...this.#seen.matchAll(/^\d{3}(?: .*)?\r\n/gm)];
      if (last.length >= count) {
        this.#seen = '';
        return last.map(([line]) => line.trimEnd());
      }
      if (this.#socket.destroyed) throw new Error('the proxy closed');
      await new Promise<void>((wake) => (this.#wake = wake));
    }
  }
}

async function probe({ socket, proxies }: ProberTask): Promise<void> {
  const scratch = await openScratchDirectory(socket);
  const { directory } = scratch;
  const probes: Probe[] = [];
  const open = new Map<string, Probe>();
  const told = ({ name, cause, time, location, state }: Change): void => {
    const one = open.get(name);
    if (cause === 'lease' && !one) {
      const begun = new Probe(name, time, proxies);
      open.set(name, begun);
      probes.push(begun);
    } else if (cause === 'lease' && one) {
      one.probed.released = time;
      open.delete(name);
    } else if (one && state === 'active' && serverOf(location) !== '') one.probed.activated = time;
  };
  const feed = directory.follow(await directory.head(), {
    change: told,
    lost: (reason) => {
      throw new Error(reason);
    },
  });
  process.send?.('ready');
  await once(process, 'message');
  const isDone = () => probes.every(({ probed }) => probed.taken.every((at) => at !== undefined));
  for (let waited = 0; !isDone() && waited < patience; waited += 10) await sleep(10);
  process.send?.(probes.map(({ probed }) => probed));
  feed.close();
  await scratch.close();
  process.disconnect();
}

await probe(JSON.parse(process.argv[2] ?? '{}') as ProberTask);
