// One operation on a Murder with mail flowing, and the verdict on it: both backends restarted, all views compared,
// nothing deleted that nobody deleted, no mail refused or lost. What was seen is kept for a table.
import assert from 'node:assert/strict';
import type { Delivery } from './mail-flow.ts';
import { BACKENDS, bulkId, FULL } from './murder.ts';
import type { Backend, Murder } from './murder.ts';
import { differences, lagging } from './murder-view.ts';
import type { Rows, View } from './murder-view.ts';
import { until } from './until.ts';

export interface Outcome {
  /** What the backend answered, or what else was said. */
  answer: string;
  /** Mailboxes that were deleted, renamed away or made anew on purpose: all names that begin so. */
  gone?: readonly string[];
  /** The order in which the backends are restarted afterwards. */
  order?: readonly Backend[];
}

/** How many of each kind a failure names. */
const SHOWN = 6;
/** How long the views may take to agree, or the directory to report that they do not. */
const AGREE_MS = 20_000;
/** How long mail may be put off after that. */
const FLOW_MS = 20_000;
/** How long what is reported may take to be resolved before the next operation. */
const RESOLVE_MS = 1_000;
/** And at the end of all. */
const LAST_MS = FULL ? 150_000 : 5_000;

export class Scenarios {
  readonly #murder: Murder;
  readonly #rows: string[][] = [];
  /** Names on which an earlier operation has left a doubt, and what the directory says of it. */
  readonly #open = new Map<string, string>();
  /** Which mailbox a user's mail goes to, and how many messages it was made with. */
  readonly #mailboxes = new Map<string, { mailbox: string; messages: number }>();

  private constructor(murder: Murder) {
    this.#murder = murder;
  }

  /**
   * Scenarios in this Murder, in which mail to a steady user of each backend flows from now on; each backend gets the
   * mailboxes of `more` besides. Stops the Murder where that does not succeed.
   */
  static async begin(murder: Murder, more: Readonly<Partial<Record<Backend, string[]>>> = {}): Promise<Scenarios> {
    const scenarios = new Scenarios(murder);
    try {
      await murder.create('mail1', ['user.steady1', ...(more.mail1 ?? [])]);
      await murder.create('mail2', ['user.steady2', ...(more.mail2 ?? [])]);
      await scenarios.mailTo({ 'user.steady1': 'steady1', 'user.steady2': 'steady2' });
      return scenarios;
    } catch (error) {
      await murder.stop();
      throw error;
    }
  }

  /** Prints what was seen, and stops the Murder. */
  async end(): Promise<void> {
    try {
      console.log(await this.#finish());
    } finally {
      await this.#murder.stop();
    }
  }

  /** From now on mail to these users, by mailbox; each must have got all of it after every scenario. */
  async mailTo(users: Readonly<Record<string, string>>, messages = 0): Promise<void> {
    for (const [mailbox, user] of Object.entries(users)) this.#mailboxes.set(user, { mailbox, messages });
    await this.#murder.mailTo(users);
  }

  /** No more mail to these users: their mailboxes are about to go. */
  async noMailTo(...users: string[]): Promise<void> {
    await this.#murder.flow.remove(...users);
    for (const user of users) this.#mailboxes.delete(user);
  }

  async play(operation: string, body: () => Promise<Outcome>): Promise<void> {
    const murder = this.#murder;
    const mails = murder.flow.deliveries.length;
    const before = await this.#holdings();
    const outcome = await body().finally(() => {
      for (const relay of Object.values(murder.relays)) relay.rule = undefined;
    });
    const followed = await this.#frontendFollows();
    await murder.restart(...(outcome.order ?? BACKENDS));
    const { differing, reported, took } = await this.#agreement();
    const after = await this.#holdings();
    const unlisted = await this.#unlisted();
    const stuck = await this.#stuckMail(differing);
    const missing = (await this.#missingMail()).slice(0, SHOWN);
    const seen = murder.flow.deliveries.slice(mails);
    const refused = seen.filter((delivery) => delivery.code >= 500 && !passedOn(delivery));
    const lost = losses(before, after, outcome.gone ?? []);
    const fresh = [...differing].filter(([name]) => !this.#open.has(name));
    const agree = took < 3000 ? 'agree' : `agree after ${seconds(took)}`;
    this.#rows.push([
      operation,
      outcome.answer,
      fresh.length > 0 ? fresh.map(([, line]) => line).join('; ') : agree,
      [...new Set(fresh.flatMap(([name]) => reported.get(name) ?? []))].join('; ') || '-',
      followed,
      codes(seen),
    ]);
    const unreported = [...differing].filter(([name]) => !reported.has(name)).map(([, line]) => line);
    for (const [name, reason] of reported) this.#open.set(name, reason);
    assert.deepEqual(
      { unreported, lost, refused: refused.slice(0, SHOWN).map(refusal), missing, stuck, unlisted },
      { unreported: [], lost: [], refused: [], missing: [], stuck: [], unlisted: [] },
    );
  }

  /** Waits a while for what is still in doubt, and gives what was seen as a table in Markdown. */
  async #finish(): Promise<string> {
    const begun = Date.now();
    const last = [...this.#open.keys()];
    const doubts = async (): Promise<string[]> => {
      const differing = differences(await this.#view());
      return last.filter((name) => differing.has(name));
    };
    let left: string[] = [];
    await until('all is resolved', async () => (left = await doubts()).length === 0, LAST_MS).catch(() => undefined);
    const took = seconds(Date.now() - begun);
    const text = `${left.length} of ${last.length} names in doubt are left ${took} later: ${left.join(', ') || '-'}`;
    const reported = await this.#reported(left);
    this.#rows.push(['at the end', '-', text, left.length === 0 ? '-' : [...reported.keys()].join(', '), '-', '-']);
    return this.#table();
  }

  #table(): string {
    const head = ['operation', 'answer', 'directory, backends, frontend', 'reported', 'frontend followed', 'mail'];
    const lines = [head, head.map(() => '---'), ...this.#rows];
    return lines.map((cells) => `| ${cells.map((cell) => cell.replaceAll('|', '/')).join(' | ')} |`).join('\n');
  }

  async #holdings(): Promise<Map<Backend, Rows>> {
    const rows = BACKENDS.map(async (name) => [name, await this.#murder.holdings(name)] as const);
    return new Map(await Promise.all(rows));
  }

  async #view(): Promise<View> {
    const [backends, directory, frontend] = await Promise.all([
      this.#holdings(),
      this.#murder.rows(),
      this.#murder.frontendView(),
    ]);
    return { directory, backends: Object.fromEntries(backends), frontend };
  }

  /** How long the frontend takes to see what the directory says, right after the operation. */
  async #frontendFollows(): Promise<string> {
    const begun = Date.now();
    let behind: string[] = [];
    const follows = until(
      'the frontend follows',
      async () => {
        behind = lagging(await this.#murder.rows(), await this.#murder.frontendView());
        return behind.length === 0;
      },
      AGREE_MS,
    );
    return follows.then(
      () => `within ${seconds(Date.now() - begun)}`,
      () => `not: ${behind.slice(0, 5).join(', ')}`,
    );
  }

  /** Until all agree. What the directory reports is waited for too, but may stay open. */
  async #agreement() {
    const begun = Date.now();
    for (;;) {
      const differing = differences(await this.#view());
      const took = Date.now() - begun;
      const reported = differing.size === 0 ? new Map<string, string>() : await this.#reported([...differing.keys()]);
      const fresh = [...differing.keys()].filter((name) => !this.#open.has(name));
      const unreported = [...differing.keys()].filter((name) => !reported.has(name));
      const patience = unreported.length > 0 ? AGREE_MS : fresh.length > 0 ? RESOLVE_MS : 0;
      if (differing.size === 0 || took > patience) {
        return { differing, reported, took };
      }
    }
  }

  /** Which of these names the directory says are in doubt, and why. */
  async #reported(names: readonly string[]): Promise<Map<string, string>> {
    const reasons = new Map<string, string>();
    const { out, code } = await this.#murder.rookery.command('directory', 'cases', '-f', 'json');
    if (code !== 0) throw new Error(`rookery directory cases ended with ${code}`);
    const lines = casesIn(out);
    for (const { name, reason } of lines) if (names.includes(name)) reasons.set(name, reason);
    return reasons;
  }

  /** What the frontend does not list by IMAP though the directory has it, or lists though there is no such row. */
  async #unlisted(): Promise<string[]> {
    let wrong: string[] = [];
    const same = until('the frontend lists what the directory has', async () => {
      const rows = await this.#murder.rows();
      const listed = await this.#murder.listedByFrontend();
      const [known, active] = [new Set<string>(), new Set<string>()];
      for (const [name, { state }] of rows) {
        known.add(this.#murder.imapName(name));
        if (state === 'active') active.add(this.#murder.imapName(name));
      }
      // A reserved name is listed when something is below it.
      wrong = [...active].filter((name) => !listed.has(name)).concat([...listed].filter((name) => !known.has(name)));
      return wrong.length === 0;
    });
    await same.catch(() => undefined);
    return wrong;
  }

  /** Users who still get no mail through one of the doors, though nothing is in doubt about their mailboxes. */
  async #stuckMail(differing: ReadonlyMap<string, string>): Promise<string[]> {
    const { deliveries } = this.#murder.flow;
    const since = deliveries.length;
    const users = [...this.#mailboxes].filter(([, { mailbox }]) => !differing.has(mailbox)).map(([user]) => user);
    let stuck: string[] = [];
    await until(
      'mail flows again',
      () => {
        const taken = deliveries.slice(since).filter(({ code }) => code === 250);
        const wanted = users.flatMap((user) => ['rookery', 'cyrus'].map((door) => `${door} ${user}`));
        stuck = wanted.filter((way) => !taken.some(({ door, recipient }) => way === `${door} ${recipient}`));
        return stuck.length === 0;
      },
      FLOW_MS,
    ).catch(() => undefined);
    return stuck;
  }

  /** Mail that was taken and is in no mailbox. */
  async #missingMail(): Promise<string[]> {
    const missing: string[] = [];
    for (const [user, { mailbox, messages }] of this.#mailboxes) {
      const bulk = Array.from({ length: messages }, (_, at) => bulkId(at));
      const taken = [...bulk, ...this.#murder.flow.acknowledged(user)];
      const there = await this.#murder.messageIds(mailbox);
      missing.push(...taken.filter((id) => !there.has(id)).map((id) => `${mailbox}: ${id}`));
    }
    return missing;
  }
}

interface Case {
  name: string;
  reason: string;
}

function casesIn(out: string): Case[] {
  return out
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as Case);
}

/** The name that a deleted mailbox is kept under for a while. */
const deletedName = /^(.*!)?DELETED\.(.*)\.[0-9A-F]+$/;

/** Mailboxes that were somewhere before and are nowhere now, that are others now, or that somebody has deleted. */
function losses(before: Map<Backend, Rows>, after: Map<Backend, Rows>, gone: readonly string[]): string[] {
  const lost: string[] = [];
  const intended = (name: string): boolean => gone.some((start) => name.startsWith(start));
  const all = (holdings: Map<Backend, Rows>): [string, string][] =>
    [...holdings.values()].flatMap((rows) =>
      [...rows].map(([name, row]): [string, string] => [name, row.uniqueid ?? '']),
    );
  const had = all(before);
  const has = all(after);
  for (const name of new Set(had.map(([name]) => name))) {
    if (intended(name)) continue;
    const ids = had.filter(([other]) => other === name).map(([, id]) => id);
    const copies = has.filter(([other]) => other === name);
    // A mailbox that has only got another name is not lost.
    const renamed = has.some(([other, id]) => ids.includes(id) && !deletedName.test(other));
    if (copies.length === 0 && (!renamed || deletedName.test(name))) lost.push(`${name} is nowhere`);
    if (copies.length > 0 && !copies.some(([, id]) => ids.includes(id))) lost.push(`${name} is another mailbox now`);
  }
  for (const [name] of has) {
    const [, domain = '', local] = deletedName.exec(name) ?? [];
    const deleted = `${domain}${local ?? ''}`;
    if (local === undefined || had.some(([other]) => other === name)) continue;
    if (!intended(deleted) && !intended(name)) lost.push(`${deleted} was deleted`);
  }
  return lost;
}

function codes(seen: readonly Delivery[]): string {
  const counts = new Map<string, number>();
  for (const delivery of seen) {
    const { door, code } = delivery;
    const key = `${door} ${code === 0 ? 'away' : code}${passedOn(delivery) ? ' of its backend' : ''}`;
    counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  return [...counts]
    .sort()
    .map(([key, count]) => `${key}: ${count}`)
    .join(', ');
}

/**
 * What the frontend's LMTP knows of a mailbox it says to RCPT. To the message it passes on what the backend says, which has
 * just moved the mailbox away: no directory can keep it from that.
 */
function passedOn({ door, code, to }: Delivery): boolean {
  return door === 'cyrus' && code >= 500 && to === 'message';
}

function refusal({ door, recipient, text, to, at }: Delivery): string {
  return `${at.toISOString()} ${door} said to ${recipient}, to ${to}: ${text}`;
}

function seconds(milliseconds: number): string {
  return `${(milliseconds / 1000).toFixed(1)} s`;
}
