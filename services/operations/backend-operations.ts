// What an operator asks and says of backends: which there are and how they stand, and the steps of their life.
import { z } from 'zod';
import { readable } from '../address/bytes.ts';
import { spoken } from '../backends/lifecycle.ts';
import type { BackendWish, Word } from '../backends/lifecycle.ts';
import type { LifecycleStore } from '../backends/lifecycle-store.ts';
import type { Backend, Registry } from '../backends/registry.ts';
import type { Emptying } from '../moves/emptying.ts';
import { bytesFromText } from '../directory/entry.ts';
import type { Bytes } from '../directory/entry.ts';
import type { UsageHistory } from '../placement/usage-history.ts';
import { checkBackend, checkValue } from './backend-checks.ts';
import type { CheckMeans } from './backend-checks.ts';
import { pointersTo, pointerText, pointerValue } from './backend-pointers.ts';
import type { PointerSources } from './backend-pointers.ts';
import { backendValue, backendValueOf } from './backend-value.ts';
import type { BackendValue } from './backend-value.ts';
import { Refusal } from './refusal.ts';

export const backendsAnswer = z.object({ backends: z.array(backendValue) });

export const addedValue = z
  .object({
    backend: backendValue,
    checks: z.array(checkValue),
    passed: z.boolean().meta({ description: 'Whether nothing was wrong; else it is as it was, or new.' }),
  })
  .meta({ id: 'AddedBackend', description: 'What was found of a backend, and how it stands since.' });

export const drainedValue = z
  .object({
    backend: backendValue,
    run: z.string().optional().meta({ description: 'The run that moves everybody out, where that was asked for.' }),
    next: z.array(z.string()).meta({ description: 'What is left to be done, a command or a sentence each.' }),
  })
  .meta({ id: 'DrainedBackend', description: 'A backend that gets no new users from now on.' });

export const retiredValue = z
  .object({
    backend: backendValue,
    pointers: z.array(pointerValue).meta({ description: 'What points to it still: then it is not retired.' }),
    remove: z.array(z.string()).meta({ description: 'Keys of the configuration that can go.' }),
  })
  .meta({ id: 'RetiredBackend', description: 'A backend to which nothing goes any more, or what keeps it.' });

export type AddedValue = z.output<typeof addedValue>;
export type DrainedValue = z.output<typeof drainedValue>;
export type RetiredValue = z.output<typeof retiredValue>;

/** All reject with a Refusal: as missing where there is no such backend, as unsafe where it is in no state for it. */
export interface BackendOperations {
  list(): Promise<BackendValue[]>;
  show(name: string): Promise<BackendValue>;
  /** Looks at all that a backend must be fit for; where nothing is wrong it is used from then on, as is said. */
  add(name: string, wish: BackendWish & { is: 'add' }, by: string): Promise<AddedValue>;
  /** One step of its life that needs no look at it. The same again is no harm. */
  say(name: string, wish: PlainWish, by: string): Promise<BackendValue>;
  /** No new users; `move` has everybody moved out, and whoever comes later, until it drains no more. */
  drain(name: string, options: { move: boolean; by: string }): Promise<DrainedValue>;
  /** Nothing goes there any more; refused as unsafe, with counts, while anything points to it. */
  retire(name: string, options: { dryRun: boolean; by: string }): Promise<RetiredValue>;
}

export type PlainWish = Exclude<BackendWish, { is: 'add' | 'drain' | 'retire' }>;

export interface BackendMeans extends CheckMeans {
  registry: Registry;
  store: Pick<LifecycleStore, 'all' | 'say'>;
  usage: Pick<UsageHistory, 'latest'>;
  trees: (server: Bytes) => Promise<number>;
  servers: () => Promise<ReadonlyMap<Bytes, number>>;
  pointers: PointerSources;
  /** The keys of the configuration that speak of a backend. */
  mentions: (server: string) => readonly string[];
  /** Has everybody moved out of a server; gives the run, undefined where nobody is there. */
  evacuate: (server: string, by: string) => Promise<string | undefined>;
  /** How far a server is that is emptied; undefined for others. */
  emptying: (server: string) => Promise<Emptying | undefined>;
}

/** So often a word is said again when another operator was faster. */
const attempts = 5;

export function backendOperations(means: BackendMeans): BackendOperations {
  const { registry, store } = means;
  const hear = async () => {
    registry.hear((await store.all()).words);
  };
  const valueOf = (name: string) => told(name, means);
  const say = async (name: string, wish: BackendWish, by: string) => {
    await spokenOf(name, wish, by, means);
    return valueOf(name);
  };
  return {
    async list() {
      await hear();
      return Promise.all(registry.all().map(({ name }) => valueOf(name)));
    },
    async show(name) {
      known(name, registry);
      await hear();
      return valueOf(name);
    },
    async add(name, wish, by) {
      const backend = known(name, registry);
      const checks = await checkBackend(backend, means);
      const passed = checks.every(({ is }) => is !== 'wrong');
      await hear();
      // What was never used is not used before it is fit; what is in use already stays so.
      if (passed) await spokenOf(name, wish, by, means);
      else if (await isUnused(name, means)) await spokenOf(name, { is: 'add', stage: 'new' }, by, means);
      return { backend: await valueOf(name), checks, passed };
    },
    say: (name, wish, by) => say(name, wish, by),
    async drain(name, { move, by }) {
      known(name, registry);
      const backend = await say(name, { is: 'drain', ...(move && { empties: true }) }, by);
      const run = move ? await means.evacuate(name, by) : undefined;
      return { backend, ...(run !== undefined && { run }), next: afterDrain(backend, move, run) };
    },
    retire: (name, options) => retired(name, options, means),
  };
}

function known(name: string, registry: Registry): Backend {
  const backend = registry.find(name);
  if (backend) return backend;
  const there = registry
    .all()
    .map((one) => one.name)
    .join(', ');
  const shown = readable(bytesFromText(name));
  throw new Refusal('missing', `there is no backend ${shown} in the configuration: there are ${there || 'none'}`);
}

async function told(name: string, means: BackendMeans): Promise<BackendValue> {
  const server = bytesFromText(name);
  const empties = means.registry.words().get(name)?.empties ?? false;
  const [trees, servers, [usage], health, emptying] = await Promise.all([
    ...([means.trees(server), means.servers(), means.usage.latest([name]), healthOf(name, means)] as const),
    empties ? means.emptying(name) : undefined,
  ]);
  const figures = { trees, mailboxes: servers.get(server) ?? 0, usage, health, emptying };
  return backendValueOf(name, means.registry, figures);
}

/** Whether it takes mail, seen by a session that is opened and left. */
async function healthOf(name: string, { registry, openLmtp }: BackendMeans): Promise<string> {
  const access = registry.find(name)?.lmtp;
  if (!access) return 'no lmtp in the configuration';
  try {
    await (await openLmtp(name, access)).leave(1000);
    return 'well';
  } catch (error) {
    return readable(error instanceof Error ? error.message : String(error));
  }
}

async function isUnused(name: string, { registry, servers }: BackendMeans): Promise<boolean> {
  const isSpokenOf = registry.words().has(name);
  return !isSpokenOf && ((await servers()).get(bytesFromText(name)) ?? 0) === 0;
}

/** Says it, by whatever was said last; refused as unsafe where it cannot be. */
async function spokenOf(name: string, wish: BackendWish, by: string, means: BackendMeans): Promise<Word> {
  const { registry, store } = means;
  known(name, registry);
  for (let attempt = 1; attempt <= attempts; attempt += 1) {
    const { words, unreadable } = await store.all();
    if (unreadable.includes(name)) {
      throw new Refusal('unsafe', `what was said of ${name} is of another version of this program, which knows more`);
    }
    registry.hear(words);
    const before = words.get(name);
    const word = spoken(before, wish, registry.flags(name), { by, now: Date.now() });
    if (typeof word === 'string') throw new Refusal('unsafe', `${name}: ${word}`);
    if (word === before) return word;
    const said = await store.say(name, before, word);
    if (!said) continue;
    registry.hear(new Map([[name, said]]));
    return said;
  }
  throw new Refusal('unavailable', `${name}: others say something of it all the time`);
}

function afterDrain({ name, trees }: BackendValue, move: boolean, run: string | undefined): string[] {
  const show = `rookery backend show ${name}`;
  if (run !== undefined) return [`rookery move watch ${run}`, show, `rookery backend retire ${name}`];
  if (move) return [show, `rookery backend retire ${name}`];
  if (trees === 0) return [`rookery backend retire ${name}`];
  return [
    `rookery move plan --evacuate ${name} -o ${name}.plan`,
    `rookery move start ${name}.plan --yes`,
    `rookery backend retire ${name}`,
  ];
}

async function retired(
  name: string,
  { dryRun, by }: { dryRun: boolean; by: string },
  means: BackendMeans,
): Promise<RetiredValue> {
  known(name, means.registry);
  const look = () => pointersTo(name, means.pointers);
  const answer = async (pointers: RetiredValue['pointers']) => ({
    ...{ backend: await told(name, means), pointers, remove: [...means.mentions(name)] },
  });
  const before = await look();
  if (dryRun) return answer(before);
  if (before.length > 0) throw new Refusal('unsafe', keeping(name, before));
  const { words } = await means.store.all();
  const word = await spokenOf(name, { is: 'retire' }, by, means);
  const meanwhile = await look();
  if (meanwhile.length === 0) return answer([]);
  // It was on its way while we looked: nobody's mail is to be put off for that.
  const was: Word = words.get(name) ?? { stage: 'draining', by, at: 0 };
  const back = await means.store.say(name, word, was);
  if (back) means.registry.hear(new Map([[name, back]]));
  throw new Refusal('unsafe', keeping(name, meanwhile));
}

function keeping(name: string, pointers: RetiredValue['pointers']): string {
  return `${name} is not retired, for there point to it: ${pointers.map(pointerText).join('; ')}`;
}
