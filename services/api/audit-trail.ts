// The audit's newest entries, in a Redis stream that all processes of a site share.
import { commandConnection, connected } from '../redis/connection.ts';
import type { RedisPlace } from '../redis/connection.ts';
import { auditValue } from '../operations/audit-operations.ts';
import type { AuditValue, KeptAudit } from '../operations/audit-operations.ts';
import type { AuditTrail } from './audit.ts';

/** Stands where the events wait, and has nothing to do with their queues. */
const key = 'rookery:{audit}';

/** How long Redis may take for an entry, in milliseconds: nobody waits for it. */
const commandTimeout = 5_000;

/** How many entries are read in one go. */
const pageSize = 500;

export class RedisTrail implements AuditTrail, KeptAudit {
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

  /** The newest first. What another version, or somebody else, has written there is left out. */
  async *entries(): AsyncGenerator<AuditValue> {
    for (let from = '+'; ;) {
      const page = await this.#connection.xrevrange(key, from, '-', 'COUNT', pageSize);
      for (const [, [, text = '']] of page) {
        const entry = auditValue.safeParse(parsed(text)).data;
        if (entry) yield entry;
      }
      const last = page.at(-1);
      if (!last || page.length < pageSize) return;
      from = `(${last[0]}`;
    }
  }

  /** Resolves when Redis answers. */
  async begun(): Promise<void> {
    await connected(this.#connection, commandTimeout);
  }

  close(): void {
    this.#connection.disconnect();
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
