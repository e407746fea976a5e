// What the sessions of a listener share.
import type { MessageHandler } from './message-handler.ts';
import type { Door, LmtpSettings } from './settings.ts';

/** The part of a logger that is needed here. */
export interface Log {
  error(fields: object, text: string): void;
  warn(fields: object, text: string): void;
  info(fields: object, text: string): void;
  debug(fields: object, text: string): void;
}

/** What all sessions of a listener share. Settings and handler are others after a reload: looked at each time. */
export interface ServerFacts {
  /** The name in greetings and Received lines. */
  servername: string;
  settings: LmtpSettings;
  handler: MessageHandler;
  log: Log;
}

/** The server as its sessions see it. */
export interface SessionHost {
  readonly facts: Readonly<ServerFacts>;
  readonly door: Door;
  /** Whether the session that asks is within the limit. */
  readonly mayOpen: () => boolean;
  /** The listener is closing: what is under way is finished, and nothing new is begun. */
  readonly closing: boolean;
  /** A session is over. */
  over(): void;
  /** A message is whole; resolves when it is known what is to be told. */
  answering(message: Promise<void>): void;
}
