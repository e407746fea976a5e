// A move: one tree that is to go from one location to another, as it is kept. What comes next is told by the facts (saga.ts).
import type { Bytes } from '../directory/entry.ts';

/** An empty partition leaves the choice to the server: its default. */
export interface Place {
  server: Bytes;
  partition: Bytes;
}

/**
 * `open`: it goes on. `done`: the tree is whole at its destination. `back`: it is whole where it was, nothing has come of the
 * move. `refused`: it can't be done, and nothing was begun. `stopped`: a state that nobody can explain, or a difference that
 * was found; both copies are kept, and a person is called. Whatever is over may be tried again.
 */
export type MoveState = 'open' | 'done' | 'back' | 'refused' | 'stopped';

/** When something was reached, in milliseconds since 1970; for people and figures, never to decide the next step by. */
export interface Times {
  /** The first worker has looked at it. */
  begun?: number;
  /** A copy was made ahead of the cut. */
  copied?: number;
  /** Mail for the tree was put off from then on (the last time), and no more from then on. */
  held?: number;
  released?: number;
  /** The server was told to cut, and has answered. */
  cut?: number;
  answered?: number;
  ended?: number;
}

export interface Move {
  /** The root mailbox of the tree: `user.jdoe`, or one shared mailbox. One move of a name is open at a time. */
  name: Bytes;
  from: Place;
  to: Place;
  /** Who has ordered it, and when, in milliseconds since 1970. */
  by: Bytes;
  since: number;
  /** The run of a plan that it belongs to. */
  run?: string;
  state: MoveState;
  /** Somebody wants it undone, as long as nothing is cut. */
  cancelled: boolean;
  /** How often the cut was tried. */
  attempts: number;
  /** How often a check stood against it, or a copy ahead came to nothing, though both servers answer. */
  tries?: number;
  /** In octets, as it was planned, or as the manifest says; 0: not known. */
  octets: number;
  messages: number;
  times: Times;
  /** What was otherwise when it was compared last, and is no loss: settings, uids that are new; each a sentence. */
  remarks?: readonly string[];
  /** What is being done: the step that was taken last; for people. */
  step: string;
  /** What it waits for, why it failed last, or how it ended; for people. */
  note: string;
}

/** Of a server that nobody can ask, or have move anything. */
export const unaskable = 'has no imap in the configuration';
