// Runs Cyrus' sync_client on the backend's host: for one user, for a list of what is to be replayed, or to see whether the replica answers.
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { chown, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { linesOf } from './output-lines.ts';
import { heard, nothingSaid } from './sync-words.ts';
import type { SyncWords } from './sync-words.ts';

/** How sync_client is called. Times are in milliseconds. */
export interface ReplicaAccess {
  /** The program, and words that stand before its options. */
  command: readonly string[];
  /** The imapd.conf. */
  config: string;
  options: readonly string[];
  /** Where files for it are put; they are given to whom it belongs. */
  folder: string;
  /** For a run. */
  timeout: number;
  /** For a look whether the replica answers. */
  connectTimeout: number;
}

export interface SyncRun {
  /** `silent`: the replica is not reached, or sync_client itself cannot be run. */
  is: 'well' | 'failed' | 'silent' | 'late';
  words: SyncWords;
  /** How it ended, for people, with its own words. */
  note: string;
}

/** How long it may take to end when asked to, in milliseconds, before it is killed. */
const patience = 2_000;

/** How long its output may be open after its end, in milliseconds: somebody it left behind may have it. */
const leftovers = 500;

/** Once a user is given, no word of it can be an option. */
const noMoreOptions = '--';

export class SyncClient {
  readonly #access: ReplicaAccess;

  constructor(access: ReplicaAccess) {
    this.#access = access;
  }

  /** Brings the replica up to the backend for one user. Rejects only on the signal, with its reason. */
  user(user: string, signal: AbortSignal): Promise<SyncRun> {
    return this.#run(['-v', '-u', noMoreOptions, user], this.#access.timeout, signal);
  }

  /**
   * Has these lines of a sync log replayed: renames and deletions, which a run for one user does not see. Says more of what
   * goes wrong. Rejects on the signal, or where the file cannot be written.
   */
  async replay(lines: readonly string[], signal: AbortSignal): Promise<SyncRun> {
    const { folder, timeout } = this.#access;
    const file = join(folder, `rookery-${randomUUID()}`);
    try {
      await writeFile(file, lines.join(''), { mode: 0o600, flag: 'wx' });
      // sync_client opens it for writing, too, to lock it.
      const { uid, gid } = await stat(folder);
      if (process.getuid?.() !== uid) await chown(file, uid, gid);
      return await this.#run(['-v', '-v', '-r', '-f', file], timeout, signal);
    } finally {
      await rm(file, { force: true });
    }
  }

  /** Logs in at the replica and does nothing there. */
  async reaches(signal: AbortSignal): Promise<SyncRun> {
    return this.#run(['-v', '-u'], this.#access.connectTimeout, signal);
  }

  async #run(args: readonly string[], within: number, signal: AbortSignal): Promise<SyncRun> {
    signal.throwIfAborted();
    const { command, config, options } = this.#access;
    const [program = '', ...before] = command;
    // A group of its own, so that whatever it starts ends with it.
    const child = spawn(program, [...before, '-C', config, ...options, ...args], {
      ...{ detached: true, stdio: ['ignore', 'pipe', 'pipe'], shell: false },
    });
    let words = nothingSaid;
    const enough = new AbortController();
    const listen = (line: string) => {
      words = heard(words, line);
      if (words.unreachable) enough.abort();
    };
    const output = Promise.all([linesOf(child.stdout, listen), linesOf(child.stderr, listen)]);
    const late = AbortSignal.timeout(within);
    const end = await ended(child, AbortSignal.any([signal, late, enough.signal]));
    await Promise.race([output, sleep(leftovers, undefined, { ref: false })]);
    child.stdout.destroy();
    child.stderr.destroy();
    signal.throwIfAborted();
    return judged(end, words, late.aborted ? within : undefined);
  }
}

/** How it ended by itself, after the end that the signal brought it, or why it did not begin. */
async function ended(child: ChildProcess, signal: AbortSignal): Promise<number | string> {
  const exit = once(child, 'exit').then(
    ([code, by]: (number | string | null)[]) => code ?? String(by),
    (error: unknown) => (error instanceof Error ? error.message : String(error)),
  );
  const stopped = new AbortController();
  const stop = async () => {
    signalGroup(child, 'SIGTERM');
    await sleep(patience, undefined, { signal: stopped.signal });
    signalGroup(child, 'SIGKILL');
  };
  const asked = () => void stop().catch(() => undefined);
  if (signal.aborted) asked();
  else signal.addEventListener('abort', asked, { once: true });
  try {
    return await exit;
  } finally {
    signal.removeEventListener('abort', asked);
    stopped.abort();
  }
}

function signalGroup({ pid }: ChildProcess, signal: NodeJS.Signals): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, signal);
  } catch {
    // It has ended.
  }
}

function judged(end: number | string, words: SyncWords, late: number | undefined): SyncRun {
  const said = words.complaints.join('; ');
  const how = typeof end === 'number' ? `sync_client ended with ${end}` : `sync_client: ${end}`;
  const note = said === '' ? how : `${how}: ${said}`;
  if (words.unreachable || (typeof end === 'string' && end.startsWith('spawn '))) return { is: 'silent', words, note };
  if (late !== undefined) {
    const told = `sync_client was ended after ${late / 1000} s`;
    return { is: 'late', words, note: said === '' ? told : `${told}: ${said}` };
  }
  return { is: end === 0 ? 'well' : 'failed', words, note };
}
