// What strikes a move in one of its steps while its worker stands still, and what brings all back after that.
import { setTimeout as sleep } from 'node:timers/promises';
import { signalGroup } from './process-group.ts';
import type { MurderMoves } from './murder-moves.ts';
import type { MurderParts } from './murder-parts.ts';
import type { Network } from './network-relay.ts';
import { until } from './until.ts';

/** How long something stands still, is away, or cannot be reached, in milliseconds. */
const STANDSTILL_MS = 2_000;
/** Longer than the worker waits for an answer. */
const SILENCE_MS = 7_000;

/** Of moves that are struck: a lease of 3 s, a worker that is lost after 2, an answer that is waited for 5. */
export const struckSections = {
  workers: { lost_after: 2, imap_timeout: 5 },
  moves: { observe: 1, lease: 3, attempts: 5, copy_above: { bytes: 1, messages: 1 } },
};
/** After these a worker that stands still has lost its lease and its job. */
const LOST_MS = 3_500;

/** What is struck: the move of a tree from mail1 to mail2. */
export interface Target {
  parts: MurderParts;
  moves: MurderMoves;
  inbox: string;
}

export interface Strike {
  strike: (target: Target) => Promise<void> | void;
  heal: (target: Target) => Promise<void>;
}

type Server = 'mail1' | 'mail2';

const killed = (name: Server): Strike => ({
  strike: ({ parts }) => parts.murder.cyrus.node(name).kill9(),
  async heal({ parts }) {
    await sleep(STANDSTILL_MS / 4);
    await parts.murder.startBackend(name);
  },
});

const frozen = (name: Server): Strike => {
  const signal = ({ parts }: Target, which: NodeJS.Signals): void => {
    const { pid } = parts.murder.cyrus.node(name);
    if (pid === undefined) throw new Error(`${name} does not run`);
    signalGroup(pid, which);
  };
  return {
    strike(target) {
      signal(target, 'SIGSTOP');
    },
    async heal(target) {
      await sleep(STANDSTILL_MS);
      signal(target, 'SIGCONT');
    },
  };
};

const unheard = (name: Server): Strike => ({
  strike({ parts }) {
    parts.murder.relays[name].rule = () => 'cut';
  },
  async heal({ parts }) {
    await sleep(STANDSTILL_MS);
    parts.murder.relays[name].rule = undefined;
  },
});

const xfer = (network: Network): Strike => ({
  strike({ parts }) {
    parts.xfer.network = network;
  },
  async heal({ parts }) {
    await sleep(STANDSTILL_MS);
    parts.xfer.network = 'pass';
  },
});

const imap = (network: Network, milliseconds: number): Strike => {
  const set = ({ parts }: Target, now: Network): void => {
    for (const relay of [parts.imap.mail1, parts.imap.mail2]) relay.network = now;
  };
  return {
    strike(target) {
      set(target, network);
    },
    async heal(target) {
      await sleep(milliseconds);
      set(target, 'pass');
    },
  };
};

export const strikes = {
  'everything of ours killed': {
    strike: ({ parts }) => parts.killAll(),
    heal: ({ parts }) => parts.startAll(),
  },
  'worker killed': {
    strike: ({ parts }) => parts.killWorker(),
    heal: ({ parts }) => parts.startWorker(),
  },
  // It comes back in the midst of what another one does by then, and believes that it has the lease.
  'worker stands still': {
    async strike({ parts, moves, inbox }) {
      const before = await moves.read(inbox);
      const since = Date.now();
      await parts.startWorker();
      const isAnothers = async () => JSON.stringify(await moves.read(inbox)) !== JSON.stringify(before);
      if (before?.state === 'open') await until('another worker has the move', isAnothers, 60_000);
      await sleep(since + LOST_MS - Date.now());
    },
    heal: () => Promise.resolve(),
  },
  'Redis killed': {
    strike: ({ parts }) => parts.redis.kill9(),
    async heal({ parts }) {
      await sleep(STANDSTILL_MS);
      await parts.redis.restart();
    },
  },
  'directory killed': {
    strike: ({ parts }) => parts.murder.killDirectory(),
    async heal({ parts }) {
      await sleep(STANDSTILL_MS);
      await parts.murder.startDirectory();
    },
  },
  'source killed': killed('mail1'),
  'destination killed': killed('mail2'),
  'source stands still': frozen('mail1'),
  'destination stands still': frozen('mail2'),
  'MUPDATE of the source cut': unheard('mail1'),
  'MUPDATE of the destination cut': unheard('mail2'),
  'XFER reset': xfer('reset'),
  'XFER swallowed': xfer('swallow'),
  'IMAP of the worker reset': imap('reset', STANDSTILL_MS),
  'IMAP of the worker swallowed': imap('swallow', SILENCE_MS),
} satisfies Record<string, Strike>;
export type StrikeName = keyof typeof strikes;
