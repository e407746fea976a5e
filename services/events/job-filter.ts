// Which jobs of a queue are meant, by whoever lists, retries or discards them.
import type { JobView } from './backlog.ts';
import type { FailureKind } from './failure.ts';

/** Those for which all holds that is said here. */
export interface JobFilter {
  id?: string | undefined;
  /** What it was given up for; of one that waits, what it failed for last. */
  kind?: FailureKind | undefined;
  /** What it is about, as bytes; what can't be read is about nothing. */
  about?: ((subject: string) => boolean) | undefined;
  /** Given up before this, in milliseconds since 1970; of one that waits, come in before this. */
  before?: number | undefined;
}

export function fits(view: JobView, { id, kind, about, before }: JobFilter): boolean {
  return (
    (id === undefined || view.id === id) &&
    (kind === undefined || view.kind === kind) &&
    (about === undefined || (view.subject !== undefined && about(view.subject))) &&
    (before === undefined || (view.finished ?? view.since) < before)
  );
}
