// What an operator asks of the directory itself: how it stands, what is open, what was changed; and the words of trust and distrust.
import { z } from 'zod';
import { readable } from '../address/bytes.ts';
import type { Bytes } from '../address/bytes.ts';
import type { Registry } from '../backends/registry.ts';
import type { Directory } from '../directory/directory.ts';
import { bytesFromText } from '../directory/entry.ts';
import { distrust, unheard } from '../directory/freshness.ts';
import { caseValueOf } from './case-value.ts';
import type { CaseValue } from './case-value.ts';
import { changeValueOf } from './change-value.ts';
import type { ChangeValue } from './change-value.ts';
import { Refusal } from './refusal.ts';
import { time, timeText } from './time-text.ts';

export const statusValue = z
  .object({
    trusted: z.boolean().meta({ description: 'Whether absence from the directory is proof.' }),
    doubt: z.string().optional().meta({ description: 'Why it is not trusted; left out when it is.' }),
    vouched: z
      .object({ by: z.string(), at: time })
      .optional()
      .meta({ description: 'The operator who vouches for it, and since when; left out when none does.' }),
    epoch: z.int(),
    lost: z
      .string()
      .optional()
      .meta({ description: 'How data were lost when the epoch began; left out when they were not.' }),
    heard: z.array(z.string()).meta({ description: 'Backends that have pushed their list in this epoch.' }),
    waiting_for: z.array(z.string()).meta({ description: 'Backends that must push their list first.' }),
    changes: z.array(z.int()).meta({ description: 'Changes so far, by shard.' }),
    cases: z.int().meta({ description: 'Open cases of reconciliation.' }),
    unknown_servers: z
      .record(z.string(), z.int())
      .meta({ description: 'Rows of servers that are no backends (any more), by server.' }),
  })
  .meta({ id: 'DirectoryStatus', description: 'How the directory stands.' });

export type StatusValue = z.output<typeof statusValue>;

export interface LogQuery {
  /** Only changes of this name. */
  name?: Bytes | undefined;
  limit: number;
}

export interface Trusting {
  /** Also where data were lost, or nothing was ever written. */
  blind: boolean;
  /** Who says so, for the record. Over the API it is the token's name. */
  by: string;
}

/** All reject with a Refusal. */
export interface DirectoryOperations {
  status(): Promise<StatusValue>;
  /** The oldest first. */
  cases(): Promise<CaseValue[]>;
  /** The newest changes, the newest first. */
  log(query: LogQuery): Promise<ChangeValue[]>;
  /** Vouches for the directory as it is; gives how it stood before. Refused as unsafe where that takes `blind`. */
  trust(trusting: Trusting): Promise<StatusValue>;
  /** Begins a new epoch, as after a loss of data; gives how it stands then. `by` is who says so. */
  distrust(by: string): Promise<StatusValue>;
}

export function directoryOperations(directory: Directory, registry: Registry): DirectoryOperations {
  const status = () => statusOf(directory, registry);
  return {
    status,
    cases: async () => (await directory.cases()).map(caseValueOf),
    log: async ({ name, limit }) => (await directory.history(name, limit)).map(changeValueOf),
    async trust({ blind, by }) {
      const before = await status();
      if (!blind) await refuseBlindTrust(directory, before);
      await directory.vouch(bytesFromText(by));
      return before;
    },
    async distrust(by) {
      await directory.distrust(`said by ${by}`);
      return status();
    },
  };
}

async function statusOf(directory: Directory, registry: Registry): Promise<StatusValue> {
  const standing = await directory.standing();
  const { vouched, lost } = standing;
  const witnesses = registry.witnesses();
  const doubt = distrust(standing, witnesses);
  return {
    trusted: doubt === undefined,
    ...(doubt !== undefined && { doubt }),
    ...(vouched && { vouched: { by: readable(vouched.by), at: timeText(vouched.at) } }),
    epoch: standing.epoch,
    ...(lost !== undefined && { lost }),
    heard: standing.heard.map(readable),
    waiting_for: unheard(standing, witnesses).map(readable),
    changes: (await directory.head()).map(({ seq }) => seq),
    cases: (await directory.caseload()).count,
    unknown_servers: await unknownServers(directory, registry),
  };
}

/** Where no backend is known, all servers would be. */
async function unknownServers(directory: Directory, registry: Registry): Promise<Record<string, number>> {
  if (registry.all().length === 0) return {};
  const servers = [...(await directory.servers())].filter(([server]) => !registry.find(server));
  return Object.fromEntries(servers.map(([server, rows]) => [readable(server), rows]));
}

/** After a loss every mailbox that is not back yet would be refused: that takes a second word. */
async function refuseBlindTrust(directory: Directory, { lost, changes }: StatusValue): Promise<void> {
  if (lost === undefined && changes.some((seq) => seq > 0)) return;
  const { entries } = await directory.snapshot();
  const why = lost === undefined ? 'nothing was ever written to it' : `data were lost (${lost})`;
  throw new Refusal(
    'unsafe',
    `${why}, and it has ${entries.length} mailboxes now: mail for all others would be refused for good; --yes says so, in the API blind: true`,
  );
}
