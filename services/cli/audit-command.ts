// rookery audit: who has changed what through the API, or tried to, and how that ended.
import { Command, Option } from 'commander';
import { readable } from '../address/bytes.ts';
import { bytesFromText } from '../directory/entry.ts';
import { auditOutcomes } from '../operations/audit-operations.ts';
import type { AuditOutcome, AuditValue } from '../operations/audit-operations.ts';
import type { ApiOptions } from './api-client.ts';
import { duration, formatOption, upTo, whereOptions, withOptions } from './command-options.ts';
import type { FormatOption } from './command-options.ts';
import { jsonLines, tableLines } from './render.ts';
import type { Table } from './render.ts';
import type { Surroundings } from './surroundings.ts';
import { withAudit } from './with-operations.ts';

interface Options extends ApiOptions, FormatOption {
  who?: string;
  what?: string;
  outcome?: AuditOutcome;
  newerThan?: number;
  olderThan?: number;
  limit: number;
}

/** How many entries are shown at most. */
const mostEntries = 10_000;

function auditTable(entries: readonly AuditValue[]): Table {
  const oneLine = (text: string) => readable(bytesFromText(text));
  return {
    columns: ['time', 'who', 'role', 'from', 'outcome', 'what', 'on'],
    rows: entries.map(({ time, who, role, from, outcome, status, what, on }) => [
      ...[time, who, role, from || '-', `${outcome} ${status}`, what, oneLine(on)],
    ]),
  };
}

function list(surroundings: Surroundings): Command {
  return withOptions(new Command('list'), [formatOption(), ...whereOptions()])
    .description(
      'list what was changed through the API, or tried to, by whose token and how it ended; the newest first',
    )
    .option('-w, --who <name>', 'only what this token has done')
    .option('-a, --what <pattern>', 'only such requests: method and path, * is anything')
    .addOption(new Option('-o, --outcome <outcome>', 'only those that ended so').choices(auditOutcomes))
    .addOption(new Option('--newer-than <time>', 'only of the last 90s, 30m, 12h, 7d').argParser(duration))
    .addOption(new Option('--older-than <time>', 'only those so long ago').argParser(duration))
    .addOption(new Option('-l, --limit <number>', 'how many at most').argParser(upTo(mostEntries)).default(50))
    .addHelpText(
      'after',
      '\nThe newest are kept (api.audit_length); the log has each as a line with event audit. Over the API it takes the role admin.\n\nExamples:\n  rookery audit list\n  rookery audit list --who ops --what "POST /v1/users*" --newer-than 7d\n  rookery audit list --outcome refused -f json',
    )
    .action(async ({ newerThan, olderThan, ...options }: Options) => {
      const { who, outcome, limit } = options;
      const now = Date.now();
      const query = {
        ...{ who, outcome, limit, what: options.what === undefined ? undefined : bytesFromText(options.what) },
        since: newerThan === undefined ? undefined : now - newerThan,
        before: olderThan === undefined ? undefined : now - olderThan,
      };
      const entries = await withAudit(options, surroundings, (audit) => audit.list(query));
      const lines = () => (entries.length === 0 ? ['nothing is on record'] : tableLines(auditTable(entries)));
      (options.format === 'json' ? jsonLines(entries) : lines()).forEach(surroundings.out);
    });
}

export function auditCommand(surroundings: Surroundings): Command {
  return new Command('audit').description('what was done through the API, and by whom').addCommand(list(surroundings));
}
