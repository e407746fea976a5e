// How long a message takes from the moment it is due to its reply, at a fixed rate.
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { percentile } from './figures.ts';
import { recipientOf, setSize } from './lmtp-mailboxes.ts';
import type { Address } from './lmtp-stand.ts';

export interface Latency {
  /** In milliseconds. */
  p50: number;
  p99: number;
}

/** Commands as Postfix sends them: LHLO and the reply, then the envelope in one go; DATA's reply comes first. */
class Session {
  readonly #socket: Socket;
  #seen = '';
  #wanted: { lines: number; told: (lines: string) => void; fail: (error: Error) => void } | undefined;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.setNoDelay(true);
    socket.setEncoding('latin1');
    socket.on('error', () => undefined);
    socket.on('close', () => this.#wanted?.fail(new Error('the connection was closed')));
    socket.on('data', (text: string) => {
      this.#seen += text;
      this.#look();
    });
  }

  static async open(address: Address): Promise<Session> {
    const socket = connect(address);
    await once(socket, 'connect');
    const session = new Session(socket);
    await session.#replies(1);
    await session.#say('LHLO bench.example.org\r\n', 1);
    return session;
  }

  async deliver(recipient: string, body: string): Promise<void> {
    await this.#say(`MAIL FROM:<sender@example.org>\r\nRCPT TO:<${recipient}>\r\nDATA\r\n`, 3);
    await this.#say(body, 1);
  }

  close(): void {
    this.#socket.end('QUIT\r\n');
  }

  async #say(text: string, replies: number): Promise<void> {
    this.#socket.write(text, 'latin1');
    const told = await this.#replies(replies);
    if (!/^[23]/.test(told)) throw new Error(`told: ${told}`);
  }

  async #replies(lines: number): Promise<string> {
    return new Promise((told, fail) => {
      this.#wanted = { lines, told, fail };
      this.#look();
    });
  }

  /** Replies end with a line that has a space behind its code. */
  #look(): void {
    if (this.#wanted === undefined) return;
    const { lines, told } = this.#wanted;
    const ends = [...this.#seen.matchAll(/^\d{3}(?: .*)?\r\n/gm)];
    const last = ends[lines - 1];
    if (last === undefined) return;
    const end = last.index + last[0].length;
    const reply = this.#seen.slice(0, end);
    this.#seen = this.#seen.slice(end);
    this.#wanted = undefined;
    told(reply);
  }
}

/** `rate` messages a second for `seconds`, over so many sessions that stay open; a message waits for a free one. */
export async function latencyAt(address: Address, rate: number, seconds: number, size: number): Promise<Latency> {
  const sessions = await Promise.all(Array.from({ length: 20 }, () => Session.open(address)));
  const body = `Subject: bench\r\n\r\n${`${'x'.repeat(78)}\r\n`.repeat(Math.ceil(size / 80))}.\r\n`;
  const took: number[] = [];
  const free = [...sessions];
  const due: [at: number, number: number][] = [];
  let open = 0;
  let failure: Error | undefined;
  const next = (): void => {
    while (free.length > 0 && due.length > 0) {
      const [session, [at, number]] = [free.pop() as Session, due.shift() as [number, number]];
      open++;
      session
        .deliver(`${(number % setSize) + 1}${recipientOf(0)}`, body)
        .then(
          () => {
            // The first second is for getting warm.
            if (number > rate) took.push(performance.now() - at);
            free.push(session);
          },
          (error: unknown) => (failure = error as Error),
        )
        .finally(() => {
          open--;
          next();
        });
    }
  };
  const begin = performance.now();
  for (let number = 0; number < rate * (seconds + 1) && failure === undefined;) {
    const now = performance.now();
    for (; begin + (number / rate) * 1000 <= now; number++) due.push([begin + (number / rate) * 1000, number]);
    next();
    await sleep(1);
  }
  while ((open > 0 || due.length > 0) && failure === undefined) await sleep(5);
  for (const session of sessions) session.close();
  if (failure !== undefined) throw failure;
  return { p50: percentile(took, 0.5), p99: percentile(took, 0.99) };
}
