// The mail log: one line for each recipient, when it is known what became of it.
import type { Outcome } from './outcome.ts';

/** The part of a logger that the mail log needs. */
export interface MailLogger {
  info(fields: object, text: string): void;
}

export class MailLog {
  readonly #logger: MailLogger;

  constructor(logger: MailLogger) {
    this.#logger = logger;
  }

  /** Writes the line: `event` is `recipient`, the other fields are those of Outcome, the text is the outcome in a word. */
  recipient(outcome: Outcome): void {
    this.#logger.info({ event: 'recipient', ...outcome }, outcome.outcome);
  }
}
