// What a processor tells while it works, kept with the job: in bounds, and without waiting for Redis.
import type { Job } from 'bullmq';
import type { Desk, Progress } from '../services/events/processor.ts';
import { envelopeOf } from '../services/events/envelope.ts';

/** How many lines of its log a job keeps, the newest ones. */
const linesKept = 100;

/** How long a line may be, in characters; the rest is cut off. */
const longestLine = 1_000;

/** How many messages of a job may be on their way to Redis; what comes while it hangs is left out. */
const mostUnderWay = 100;

export class JobDesk implements Desk {
  readonly traceparent: string | undefined;
  readonly #job: Job;
  #underWay = 0;

  constructor(job: Job) {
    this.#job = job;
    this.traceparent = envelopeOf(job.data).traceparent;
    job.opts.keepLogs = linesKept;
  }

  log(line: string): void {
    this.#send(() => this.#job.log(`${new Date().toISOString()} ${line.slice(0, longestLine)}`));
  }

  progress({ done, of, note }: Progress): void {
    const told = {
      done,
      ...(of !== undefined && { of }),
      ...(note !== undefined && { note: note.slice(0, longestLine) }),
    };
    this.#send(() => this.#job.updateProgress(told));
  }

  /** In the order of the calls, for all go over one connection; what follows them there comes after them. */
  #send(message: () => Promise<unknown>): void {
    if (this.#underWay >= mostUnderWay) return;
    this.#underWay += 1;
    void message()
      .catch(() => undefined)
      .finally(() => (this.#underWay -= 1));
  }
}
