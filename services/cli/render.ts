// How results are shown: as a table for people, as JSON for programs.

export type Format = 'table' | 'json';

/** A result for people: a heading for each column, and rows of texts. */
export interface Table {
  columns: readonly string[];
  rows: readonly (readonly string[])[];
}

/** Columns side by side, two spaces apart; the last one is not padded. */
export function tableLines({ columns, rows }: Table): string[] {
  const widths = columns.map((column, at) =>
    rows.reduce((most, row) => Math.max(most, row[at]?.length ?? 0), column.length),
  );
  const line = (row: readonly string[]) =>
    row
      .map((cell, at) => cell.padEnd(widths[at] ?? 0))
      .join('  ')
      .trimEnd();
  return [columns.map((column) => column.toUpperCase()), ...rows].map(line);
}

/** Names and values, one below the other. */
export function pairLines(pairs: readonly (readonly [string, string])[]): string[] {
  const width = pairs.reduce((most, [name]) => Math.max(most, name.length), 0);
  return pairs.map(([name, value]) => `${name.padEnd(width)}  ${value}`.trimEnd());
}

/** One JSON object a line, as `postqueue -j` has it. */
export function jsonLines(values: readonly unknown[]): string[] {
  return values.map((value) => JSON.stringify(value));
}
