// The life of a backend: what operators may say of it while all runs, and what follows from that and the configuration.

/**
 * `new`: it gets nobody yet. `canary`: a share of the new users, and whom an operator places there by name. `active`: as
 * placement decides; whoever was never spoken about is that. `draining`: no new users, for it is to be emptied.
 * `retired`: nothing points to it, and nothing goes there any more.
 */
export const stages = ['new', 'canary', 'active', 'draining', 'retired'] as const;
export type Stage = (typeof stages)[number];

/** Nothing is delivered to it: mail for its mailboxes is put off. */
export interface Fence {
  /** Over by itself then, in milliseconds since 1970; left out: when somebody says so. */
  until?: number;
  reason: string;
  by: string;
  /** In milliseconds since 1970. */
  since: number;
}

/** All that was said of a backend. */
export interface Word {
  stage: Stage;
  /** Of `canary`: so many of 100 new users. */
  share?: number;
  /** Of `draining`: what it is again when that is taken back. */
  before?: { stage: 'new' | 'canary' | 'active'; share?: number };
  /** Of `draining`: everybody is moved out, until it is empty. */
  empties?: true;
  fence?: Fence;
  /** Who spoke last. */
  by: string;
  /**
   * When, in milliseconds since 1970 by the clock of Redis; of two words on a backend the later one holds, and no two have
   * the same time.
   */
  at: number;
}

/** What the configuration says of it. */
export interface ConfiguredFlags {
  drain: boolean;
  fence: boolean;
}

/** How it stands: of the configuration and the operators' word whichever is stricter. */
export interface Standing {
  stage: Stage;
  share?: number;
  fenced: boolean;
}

/** Whom placement may send there. */
export type Intake =
  | { is: 'all' }
  /** So many of 100 new users, and by name anybody. */
  | { is: 'share'; percent: number }
  /** Only whom an operator places there by name. */
  | { is: 'named'; why: string }
  | { is: 'nobody'; why: string };

/** `now` in milliseconds since 1970: some fences end by themselves. */
export function standingOf(word: Word | undefined, flags: ConfiguredFlags, now: number): Standing {
  const stage = stageOf(word?.stage ?? 'active', flags);
  const fenced = flags.fence || stage === 'retired' || isFencing(word?.fence, now);
  return { stage, fenced, ...(stage === 'canary' && { share: word?.share ?? usualShare }) };
}

/** What is new or retired gets nobody, so that to drain it is no more. */
function stageOf(said: Stage, { drain }: ConfiguredFlags): Stage {
  return drain && (said === 'active' || said === 'canary') ? 'draining' : said;
}

export function isFencing(fence: Fence | undefined, now: number): boolean {
  return fence !== undefined && (fence.until === undefined || now < fence.until);
}

export function intakeOf({ stage, fenced, share = usualShare }: Standing): Intake {
  if (stage === 'retired') return { is: 'nobody', why: 'retired' };
  if (stage === 'new') return { is: 'nobody', why: 'new: not in use yet' };
  if (fenced) return { is: 'named', why: 'fenced' };
  if (stage === 'draining') return { is: 'named', why: 'drains' };
  return stage === 'canary' ? { is: 'share', percent: share } : { is: 'all' };
}

/** What a canary gets where nobody says otherwise, of 100 new users. */
export const usualShare = 5;

/** What an operator wants of a backend. */
export type BackendWish =
  /** Its checks are passed, or it is to wait. */
  | { is: 'add'; stage: 'new' | 'canary' | 'active'; share?: number }
  | { is: 'canary'; share?: number }
  | { is: 'activate' }
  /** `empties`: everybody is to be moved out, too. */
  | { is: 'drain'; empties?: true }
  | { is: 'undrain' }
  | { is: 'fence'; until?: number; reason: string }
  | { is: 'unfence' }
  | { is: 'retire' };

/** By whom, and when, in milliseconds since 1970. */
export interface Speaker {
  by: string;
  now: number;
}

/** The word after a wish, or why it cannot be; the same wish again is no harm. `flags` are the configuration's. */
export function spoken(
  word: Word | undefined,
  wish: BackendWish,
  flags: ConfiguredFlags,
  { by, now }: Speaker,
): Word | string {
  const stage = word?.stage ?? 'active';
  const kept = word?.fence && { fence: word.fence };
  const staged: Staged = (next, more = {}) => ({
    ...{ stage: next, ...more, ...kept, by, at: now },
  });
  switch (wish.is) {
    case 'add':
      if (stage === 'draining') return 'it drains: undrain it first';
      return staged(wish.stage, sharing(wish.stage, wish.share));
    case 'canary':
      if (stage === 'draining') return 'it drains: undrain it first';
      if (stage === 'retired') return 'it is retired: add it again first';
      return staged('canary', sharing('canary', wish.share));
    case 'activate':
      if (stage === 'draining') return 'it drains: undrain it';
      if (stage === 'retired') return 'it is retired: add it again';
      return staged('active');
    case 'drain':
      if (stage === 'retired') return 'it is retired: nothing is there any more';
      return drained(word, wish, staged);
    case 'undrain':
      return undrained(word, flags, staged);
    case 'fence':
      return { ...(word ?? { stage }), fence: fenceOf(wish, { by, now }), by, at: now };
    case 'unfence':
      return unfenced(word, flags, { by, now });
    case 'retire':
      if (stage === 'retired' && word) return word;
      if (stageOf(stage, flags) !== 'draining') return `it is ${stage}: drain it first`;
      return staged('retired');
  }
}

type Staged = (next: Stage, more?: Pick<Word, 'share' | 'before' | 'empties'>) => Word;

/** What empties already goes on with that when it is only drained once more. */
function drained(word: Word | undefined, { empties }: BackendWish & { is: 'drain' }, staged: Staged): Word {
  const { stage = 'active', share, before } = word ?? {};
  const more = empties ? { empties } : {};
  if (stage !== 'draining' && stage !== 'retired')
    return staged('draining', { before: { stage, ...(share !== undefined && { share }) }, ...more });
  if (word && (!empties || word.empties)) return word;
  return staged('draining', { ...(before && { before }), ...more });
}

function undrained(word: Word | undefined, flags: ConfiguredFlags, staged: Staged): Word | string {
  // What the configuration drains goes on doing so, and is emptied no more.
  if (flags.drain && !word?.empties)
    return 'the configuration drains it (placement.drain), and that holds until it is changed there';
  if (word?.stage !== 'draining') return 'it does not drain';
  const { stage, share } = word.before ?? { stage: 'active' };
  return staged(stage, sharing(stage, share));
}

function unfenced(word: Word | undefined, flags: ConfiguredFlags, { by, now }: Speaker): Word | string {
  if (flags.fence) return 'the configuration fences it (fence), and that holds until it is changed there';
  if (word?.stage === 'retired') return 'it is retired, and nothing goes there: add it again';
  const { fence, ...rest } = word ?? { stage: 'active' };
  return fence === undefined ? 'it is not fenced' : { ...rest, by, at: now };
}

function sharing(stage: Stage, share = usualShare): { share?: number } {
  return stage === 'canary' ? { share } : {};
}

function fenceOf({ until, reason }: { until?: number; reason: string }, { by, now }: Speaker): Fence {
  return { ...(until !== undefined && { until }), reason, by, since: now };
}
