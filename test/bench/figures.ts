// What a benchmark says at the end: medians, percentiles, and a table that people can read.

/** The middle value; of an even number of values the lower of the two, which did happen. NaN without values. */
export function median(values: readonly number[]): number {
  return percentile(values, 0.5);
}

/** The smallest value that `share` (0 to 1) of all values do not exceed; NaN without values. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? Number.NaN;
}

/** A number with `digits` decimals, or `-` for none. */
export function figure(value: number, digits = 0): string {
  return Number.isFinite(value) ? value.toFixed(digits) : '-';
}

/** Lines of columns, numbers to the right. The first row is the head. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  const line = (row: readonly string[]) =>
    row.map((cell, column) => (column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0)));
  return rows.map((row) => line(row).join('  ').trimEnd()).join('\n');
}

/** A whole number above 0 from the command line; exits with a sentence otherwise (EX_USAGE). */
export function wholeNumber(option: string, value: string): number {
  const number = Number(value);
  if (Number.isSafeInteger(number) && number > 0) return number;
  console.error(`--${option} is '${value}', but must be a whole number above 0`);
  return process.exit(64);
}
