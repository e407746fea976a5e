// Waiting for a fact, in bounds: tests never sleep for a guessed time.
import { setTimeout as sleep } from 'node:timers/promises';

/** Waits until `fact` holds, looking every 10 ms; fails after `boundMs` milliseconds, naming `what`. */
export async function until(what: string, fact: () => boolean | Promise<boolean>, boundMs = 10_000): Promise<void> {
  const deadline = Date.now() + boundMs;
  while (!(await fact())) {
    if (Date.now() > deadline) throw new Error(`still not so after ${boundMs} ms: ${what}`);
    await sleep(10);
  }
}
