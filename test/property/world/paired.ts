// The script and the model side by side: the model answers at once and the world goes on, the script's answers are
// compared when they come.
import assert from 'node:assert/strict';
import type { Case } from '../../../services/directory/case.ts';
import type {
  Answer,
  Directory,
  Ending,
  Lookup,
  Resolution,
  Write,
  Writer,
} from '../../../services/directory/directory.ts';
import type { Entry } from '../../../services/directory/entry.ts';
import { MemoryDirectory } from '../../../services/directory/memory-directory.ts';
import type { Policy } from '../../../services/directory/rules.ts';

export class Pair {
  now = 1_700_000_000_000;
  /** Commands carried out. */
  count = 0;
  readonly model: MemoryDirectory;
  /** Left out where only the rules are to be tried. */
  readonly script: Directory | undefined;
  #waiting: Promise<void>[] = [];
  #failure: unknown;

  private constructor(model: MemoryDirectory, script: Directory | undefined) {
    this.model = model;
    this.script = script;
  }

  static async open(policy: Policy, opened?: (clock: () => number) => Promise<Directory>): Promise<Pair> {
    const clock = (): number => pair.now;
    const pair: Pair = new Pair(new MemoryDirectory({ policy, clock }), await opened?.(clock));
    return pair;
  }

  /** Waits until the script has done all that the model has. Time may pass then. */
  async flush(): Promise<void> {
    const waiting = this.#waiting;
    this.#waiting = [];
    await Promise.all(waiting);
    if (this.#failure !== undefined) throw this.#failure as Error;
  }

  async pass(milliseconds: number): Promise<void> {
    await this.flush();
    this.now += milliseconds;
  }

  async write(write: Write, writer: Writer): Promise<Answer> {
    const answer = await this.#both((directory) => directory.write(write, writer), write);
    // The script's directory then puts back what was deleted, in a call of its own.
    if (!answer.ok) await this.flush();
    if (this.script) this.#compareLookup([write.name], await this.model.lookup([write.name]));
    return answer;
  }

  end(session: string, how: Ending): Promise<unknown> {
    return this.#alone((directory) => directory.end(session, how), { session, how });
  }

  bind(session: string, server: string): Promise<{ restored: string[] }> {
    return this.#alone((directory) => directory.bind(session, server), { session, server });
  }

  sweep(node: string, isLive: (session: string) => boolean): Promise<unknown> {
    return this.#alone((directory) => directory.sweep(node, isLive), { node });
  }

  heard(server: string, required: readonly string[], begun: number): Promise<void> {
    return this.#alone((directory) => directory.heard(server, required, begun), { heard: server });
  }

  resolve(resolution: Resolution): Promise<boolean> {
    return this.#both((directory) => directory.resolve(resolution), resolution);
  }

  async note(name: string, waiting: string): Promise<void> {
    await this.#both((directory) => directory.note(name, waiting), { note: name });
  }

  list(prefix: string): Promise<Entry[]> {
    return this.#alone((directory) => directory.list(prefix), { list: prefix });
  }

  async row(name: string): Promise<Entry | undefined> {
    const row = (await this.model.tree(name)).find((one) => one.name === name);
    return row;
  }

  async open(name: string): Promise<Case | undefined> {
    return this.#both((directory) => directory.case(name), { case: name });
  }

  async lookup(names: readonly string[]): Promise<Lookup> {
    const lookup = await this.model.lookup(names);
    if (this.script) this.#compareLookup(names, lookup);
    return lookup;
  }

  /** Everything that can be read, but for the feed. */
  async compareAll(names: readonly string[]): Promise<void> {
    await this.flush();
    const { script, model } = this;
    if (!script) return;
    const { standing: got, ...there } = await script.lookup(names);
    const { standing: wanted, ...here } = await model.lookup(names);
    assert.deepEqual(there, here);
    assert.deepEqual([got.heard, got.settled, got.doubt], [wanted.heard, wanted.settled, wanted.doubt]);
    assert.deepEqual(await script.cases(), await model.cases());
    assert.deepEqual(await script.caseload(), await model.caseload());
  }

  #compareLookup(names: readonly string[], { entries, concerns }: Lookup): void {
    const found = this.script?.lookup(names).then((got) => {
      same([got.entries, got.concerns], [entries, concerns], names);
    });
    if (found) this.#wait(found);
  }

  async #both<T>(act: (directory: Directory) => Promise<T>, what: unknown): Promise<T> {
    this.count++;
    const wanted = await act(this.model);
    if (this.script) {
      const compared = act(this.script).then((got) => {
        same(got, wanted, what);
      });
      this.#wait(compared);
    }
    return wanted;
  }

  /** What takes the script's directory several calls may not be mingled with others. */
  async #alone<T>(act: (directory: Directory) => Promise<T>, what: unknown): Promise<T> {
    await this.flush();
    const wanted = await this.#both(act, what);
    await this.flush();
    return wanted;
  }

  #wait(done: Promise<void>): void {
    this.#waiting.push(
      done.catch((error: unknown) => {
        this.#failure ??= error;
      }),
    );
  }
}

function same(got: unknown, wanted: unknown, what: unknown): void {
  if (JSON.stringify(got) === JSON.stringify(wanted)) return;
  assert.deepEqual(got, wanted, `script (actual) and model (expected) differ after ${JSON.stringify(what)}`);
}
