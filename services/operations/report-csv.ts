// A report as CSV (RFC 4180), line by line: a heading, then each tree of the plan.
import type { ReportRow } from './run-value.ts';

const columns = [
  'name',
  'from',
  'to',
  'state',
  'octets',
  'messages',
  'ended',
  'seconds',
  'held_seconds',
  'note',
] as const;

export const reportColumns: readonly (keyof ReportRow)[] = columns;

/** A spreadsheet takes what begins so for a formula, whoever wrote it: such a text gets an apostrophe before it. */
const formula = /^[=+\-@\t\r]/;

export function csvLine(values: readonly (string | number | undefined)[]): string {
  return `${values.map((value) => cell(typeof value === 'string' && formula.test(value) ? `'${value}` : value)).join(',')}\r\n`;
}

function cell(value: string | number | undefined): string {
  const text = String(value ?? '');
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** All lines: of the first rows, and of the pages after them. */
export async function* reportLines(
  rows: readonly ReportRow[],
  next: number | undefined,
  page: (from: number) => Promise<{ rows: ReportRow[]; next?: number | undefined }>,
): AsyncGenerator<string> {
  yield csvLine(columns);
  let some: { rows: readonly ReportRow[]; next?: number | undefined } = { rows, next };
  for (;;) {
    for (const row of some.rows) yield csvLine(columns.map((column) => row[column]));
    if (some.next === undefined) return;
    some = await page(some.next);
  }
}
