// Backends, their sessions and the directory in one world, where anything may happen between any two steps.
import type { Case } from '../../../services/directory/case.ts';
import { policyOf } from '../../../services/directory/rules.ts';
import type { Directory } from '../../../services/directory/directory.ts';
import { Backend } from './backend.ts';
import { chooseTask, happen } from './chance.ts';
import { Dice } from './dice.ts';
import { Invariants } from './invariants.ts';
import { Pair } from './paired.ts';
import { push } from './pushing.ts';
import { reconcile } from './reconciling.ts';
import { Session } from './session.ts';
import type { Slot, Stage } from './stage.ts';
import type { Ask, Command, Reply, Task } from './asking.ts';

/** Connections of tasks, all at work at the same time. */
const slots = 8;
export const serverNames = ['mail1', 'mail2', 'mail3'];
export const policy = policyOf('strict');

export class World implements Stage {
  readonly pair: Pair;
  readonly backends = serverNames.map((name) => new Backend(name));
  readonly slots: Slot[] = Array.from({ length: slots }, (_, number) => ({ number }));
  /** Sessions whose backend is gone, which the directory has not noticed yet. */
  zombies: Session[] = [];
  readonly invariants: Invariants;
  /** What has happened, for whoever has to understand it. */
  story: string[] | undefined;
  #sessions = 0;

  private constructor(pair: Pair) {
    this.pair = pair;
    this.invariants = new Invariants(this);
  }

  static async begin(script?: (clock: () => number) => Promise<Directory>): Promise<World> {
    return new World(await Pair.open(policy, script));
  }

  tell(text: string): void {
    this.story?.push(text);
  }

  /** One thing happens, decided by a number. */
  async step(number: number): Promise<void> {
    const dice = new Dice(number);
    if (dice.permille(150)) await this.pair.pass(dice.below(5));
    if (dice.permille(25)) await happen(this, dice);
    const slot = this.slots[dice.below(slots)];
    if (!slot) return;
    if (!slot.task) chooseTask(this, slot, dice);
    if (slot.task) await this.#advance(slot, dice);
  }

  #advance(slot: Slot, dice: Dice): Promise<void> {
    const { task } = slot;
    const { value: ask, done } = task ? task.steps.next(task.reply) : { value: undefined, done: true };
    if (done === true || !ask) return this.#finish(slot, dice);
    return this.#perform(slot, ask, dice);
  }

  async #finish(slot: Slot, dice: Dice | undefined): Promise<void> {
    const isPush = slot.session?.push !== undefined;
    this.drop(slot);
    if (!slot.session || (!isPush && dice?.permille(300) === true)) return;
    // A push that gave up is a process that died.
    await this.end(slot, isPush ? 'cut' : 'logout');
  }

  /** The task is no more; its session is. */
  drop(slot: Slot): void {
    const { task } = slot;
    delete slot.task;
    task?.steps.return();
    for (const [backend, tree] of task?.locks ?? []) backend.locked.delete(tree);
    if (task?.backend?.running === 'starting') task.backend.running = 'down';
  }

  async #perform(slot: Slot, ask: Ask, dice: Dice | undefined): Promise<void> {
    const { task } = slot;
    if (!task) return;
    const fate = dice?.below(1000) ?? 999;
    if (fate < 12 && task.backend) {
      this.tell(`#${slot.number} ${task.backend.name}: process dies before ${JSON.stringify(ask)}`);
      this.drop(slot);
      await this.abandon(slot, dice);
      return;
    }
    const isLost = ask.do !== 'pause' && (slot.cut === true || (fate < 40 && task.backend !== undefined));
    if (!isLost) {
      task.reply = await this.#answer(slot, ask);
      return;
    }
    // The reply is lost, after the command or with it.
    if (fate < 30 && slot.cut !== true) await this.#answer(slot, ask);
    this.tell(`#${slot.number} no answer to ${JSON.stringify(ask)}`);
    slot.cut = false;
    if (slot.session) await this.end(slot, 'cut');
    task.reply = { ok: false, lost: true };
  }

  async #answer(slot: Slot, ask: Ask): Promise<Reply> {
    const { pair } = this;
    switch (ask.do) {
      case 'pause':
        return { ok: true };
      case 'write':
        return this.#write(this.#sessionOf(slot), ask);
      case 'elsewhere': {
        const session = new Session(this.#newId(), ask.backend, true);
        const reply = await this.#write(session, ask);
        if (session.pending) await pair.end(session.id, 'logout');
        return reply;
      }
      case 'list':
        return this.#list(this.#sessionOf(slot));
      case 'find': {
        const session = this.#sessionOf(slot);
        const [row] = (await pair.lookup([ask.name])).entries;
        const visible = row && row.state !== 'tombstone';
        if (!visible) session.push?.absent.add(ask.name);
        return { ok: !visible };
      }
      case 'logout':
        if (slot.session) await this.end(slot, 'logout');
        return { ok: true };
      case 'look':
        return { ok: true, row: await pair.row(ask.name), open: await pair.open(ask.name) };
      case 'resolve': {
        const ok = await pair.resolve({ ...ask.resolution, session: `reconcile-${slot.number}`, by: 'reconcile' });
        this.tell(`#${slot.number} resolve ${JSON.stringify(ask.resolution)}: ${String(ok)}`);
        await this.invariants.check();
        return { ok };
      }
      case 'note':
        await pair.note(ask.name, ask.waiting);
        return { ok: true };
    }
  }

  #newId(): string {
    return `node-${++this.#sessions}`;
  }

  #sessionOf(slot: Slot): Session {
    const { task } = slot;
    if (!task?.backend) throw new Error('only backends write');
    if (slot.session?.backend === task.backend && slot.session.push === undefined) return slot.session;
    if (slot.session) {
      // The push's own session; any other was ended before.
      if (slot.session.backend === task.backend) return slot.session;
      throw new Error('a session of another backend was left in the slot');
    }
    slot.session = new Session(this.#newId(), task.backend, task.isBound);
    return slot.session;
  }

  async #list(session: Session): Promise<Reply> {
    const { name } = session.backend;
    session.server ??= name;
    session.push = { begun: this.pair.now, absent: new Set() };
    const rows = (await this.pair.list(`${name}!`)).filter((row) => row.state !== 'tombstone');
    this.tell(`${session.id} ${name} LIST: ${rows.map((row) => `${row.name} ${row.state}`).join(', ')}`);
    return { ok: true, rows };
  }

  async #write(session: Session, { verb, name, location = '', acl = '' }: Command): Promise<Reply> {
    const { pair } = this;
    if (session.server === undefined && verb !== 'DELETE') {
      session.server = session.backend.name;
      const { restored } = session.deletedUnbound ? await pair.bind(session.id, session.server) : { restored: [] };
      if (restored.length > 0) {
        this.tell(`${session.id} names its server: put back ${restored.join(', ')}`);
        await pair.end(session.id, 'refused');
        return { ok: false };
      }
    }
    session.deletedUnbound ||= session.server === undefined;
    const answer = await pair.write({ verb, name, location, acl }, session.writer);
    session.pending ||= answer.pending;
    if (verb === 'ACTIVATE') session.push?.absent.delete(name);
    const who = `${session.id} ${session.server ?? '(unbound)'}${session.push ? ' (push)' : ''}`;
    this.tell(`${who}: ${verb} ${name} ${location} -> ${answer.ok ? 'OK' : 'NO'} ${answer.text}`);
    await this.invariants.written(session, { verb, name, location, acl }, answer.ok);
    return { ok: answer.ok };
  }

  /** Ends the session of a slot; a push that was complete is heard. */
  async end(slot: Slot, how: 'logout' | 'cut'): Promise<void> {
    const { session } = slot;
    slot.session = undefined;
    if (!session) return;
    this.tell(`${session.id} ${session.backend.name}: ${how}`);
    if (session.pending) await this.pair.end(session.id, how);
    if (how === 'logout' && session.push?.absent.size === 0) {
      await this.pair.heard(session.backend.name, serverNames, session.push.begun);
      await this.invariants.heard(session.backend);
    }
    await this.invariants.check();
  }

  /** Its client is gone. The directory notices at once, or (a host without power) late. */
  async abandon(slot: Slot, dice: Dice | undefined): Promise<void> {
    if (slot.session && dice?.permille(300) === true) {
      this.zombies.push(slot.session);
      slot.session = undefined;
      return;
    }
    await this.end(slot, 'cut');
  }

  async crash(backend: Backend): Promise<void> {
    this.tell(`${backend.name} crashes`);
    const dice = new Dice(this.#sessions);
    const theirs = this.slots.filter((slot) => (slot.task?.backend ?? slot.session?.backend) === backend);
    for (const slot of theirs) this.drop(slot);
    backend.crash();
    for (const slot of theirs) await this.abandon(slot, dice);
  }

  /** Runs a task to its end, with nothing in between and nothing going wrong. */
  async run(steps: Task, backend: Backend | undefined): Promise<void> {
    const slot: Slot = { number: 99, task: { steps, reply: { ok: true }, backend, locks: [], isBound: true } };
    while (slot.task) {
      const { value: ask, done } = steps.next(slot.task.reply);
      if (done === true) await this.#finish(slot, undefined);
      else await this.#perform(slot, ask, undefined);
    }
  }

  start(backend: Backend): Promise<void> {
    return this.run(push(backend), backend);
  }

  /** Looks into every open case with full knowledge until nothing changes any more. */
  async reconcileAll(): Promise<Case[]> {
    for (let round = 0; round < 6; round++) {
      for (const { name } of await this.pair.model.cases())
        await this.run(reconcile(name, this.surroundings), undefined);
    }
    return this.pair.model.cases();
  }

  get surroundings() {
    return { backends: this.backends, times: policy.times, now: () => this.pair.now };
  }
}
