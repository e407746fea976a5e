// The audit's newest entries, in a Redis stream that all processes of a site share.
import { commandConnection } from '../redis/connection.ts';
import type { RedisPlace } from '../redis/connection.ts';
import { auditValue } from './audit.ts';
import type { AuditTrail, AuditValue } from './audit.ts';

/** Stands where the events wait, and has nothing to do with their queues. */
const key = 'rookery:{audit}';

/** How long Redis may take for an entry, in milliseconds: nobody waits for it. */
const commandTimeout = 5_000;

export class RedisTrail implements AuditTrail {
  readonly #connection: ReturnType<typeof commandConnection>;
  readonly #length: number;

  /** Keeps about the newest `length` entries. Failures of the connection are told by what they make fail. */
  constructor(place: RedisPlace, length: number) {
    this.#connection = commandConnection({ place, commandTimeout, onError: () => undefined });
    this.#length = length;
  }

  async keep(entry: AuditValue): Promise<void> {
    await this.#connection.xadd(key, 'MAXLEN', '~', this.#length, '*', 'entry', JSON.stringify(entry));
  }

  async newest(limit: number): Promise<AuditValue[]> {
    const entries = await this.#connection.xrevrange(key, '+', '-', 'COUNT', limit);
    return entries.flatMap(([, [, text = '']]) => auditValue.safeParse(JSON.parse(text)).data ?? []);
  }

  close(): void {
    this.#connection.disconnect();
  }
}
