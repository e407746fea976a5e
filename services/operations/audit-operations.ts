// What an operator asks of the audit: who has changed what through the API, or tried to, and how that ended.
import { z } from 'zod';
import type { Bytes } from '../address/bytes.ts';
import { mailboxPattern } from '../address/mailbox-pattern.ts';
import { bytesFromText } from '../directory/entry.ts';
import { time } from './time-text.ts';

export const auditOutcomes = ['done', 'refused', 'failed'] as const;

export const auditValue = z
  .object({
    time,
    who: z.string().meta({ description: 'The name of the token; empty where it is unknown.' }),
    role: z.string(),
    from: z.string().meta({ description: 'The address that the request came from; empty for a Unix socket.' }),
    what: z.string().meta({ description: 'Method and path.' }),
    on: z.string().meta({ description: 'What the path, the query and the body name, as JSON.' }),
    outcome: z.enum(auditOutcomes),
    status: z.int(),
  })
  .meta({ id: 'AuditEntry', description: 'One request that changed something, or tried to.' });

export const auditAnswer = z.object({ entries: z.array(auditValue) });

export type AuditValue = z.output<typeof auditValue>;
export type AuditOutcome = AuditValue['outcome'];

/** Which entries: those for which all holds that is said here. */
export interface AuditQuery {
  /** The name of a token. */
  who?: string | undefined;
  /** Method and path, with the wildcards of IMAP's LIST. */
  what?: Bytes | undefined;
  outcome?: AuditOutcome | undefined;
  /** From then on, and before then, in milliseconds since 1970. */
  since?: number | undefined;
  before?: number | undefined;
  limit: number;
}

/** All reject with a Refusal. */
export interface AuditOperations {
  /** The newest first. */
  list(query: AuditQuery): Promise<AuditValue[]>;
}

/** Entries as they are kept: the newest first, a bounded number. */
export interface KeptAudit {
  entries(): AsyncIterable<AuditValue>;
}

export function auditOperations(kept: KeptAudit): AuditOperations {
  return {
    async list(query) {
      const isMeant = meant(query);
      const found: AuditValue[] = [];
      for await (const entry of kept.entries()) {
        if (!isMeant(entry)) continue;
        found.push(entry);
        if (found.length === query.limit) break;
      }
      return found;
    },
  };
}

function meant({ who, what, outcome, since = -Infinity, before = Infinity }: AuditQuery) {
  const matches = what === undefined ? () => true : mailboxPattern(what);
  return (entry: AuditValue): boolean => {
    const at = Date.parse(entry.time);
    return (
      (who === undefined || entry.who === who) &&
      (outcome === undefined || entry.outcome === outcome) &&
      at >= since &&
      at < before &&
      matches(bytesFromText(entry.what))
    );
  };
}
