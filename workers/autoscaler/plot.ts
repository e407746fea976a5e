// A run of a pool as pictures: depth, age and workers over time, in text for a terminal and as SVG for a page.

/** One moment of a run. Times are in seconds. */
export interface PlotPoint {
  at: number;
  depth: number;
  oldestAge: number;
  workers: number;
}

interface Panel {
  title: string;
  unit: string;
  of: (point: PlotPoint) => number;
}

const panels: readonly Panel[] = [
  { title: 'jobs in line', unit: '', of: ({ depth }) => depth },
  { title: 'age of the oldest', unit: ' s', of: ({ oldestAge }) => oldestAge },
  { title: 'workers', unit: '', of: ({ workers }) => workers },
];

/** Eighths of a line, from the bottom. */
const bars = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/** The three pictures, `width` columns wide and `height` lines high each, with their scales at the left. */
export function textPlot(points: readonly PlotPoint[], width = 72, height = 5): string[] {
  const last = points.at(-1)?.at ?? 0;
  const lines = panels.flatMap(({ title, unit, of }) => {
    const columns = columnsOf(points, of, width);
    const top = Math.max(...columns, 1);
    const rows = Array.from({ length: height }, (_, index) => {
      const bottom = height - 1 - index;
      const label = index === 0 ? `${rounded(top)}${unit}` : bottom === 0 ? `0${unit}` : '';
      return `${label.padStart(9)} │${columns.map((value) => bar((value / top) * height - bottom)).join('')}`;
    });
    return [title, ...rows.map((row) => row.trimEnd()), ''];
  });
  const end = `${rounded(last)} s`;
  return [...lines.slice(0, -1), `${' '.repeat(10)}└${'─'.repeat(width)}`, `0 s${end.padStart(width + 8)}`];
}

/** The most of each stretch of time: a peak that lasts a moment must be seen. */
function columnsOf(points: readonly PlotPoint[], of: Panel['of'], width: number): number[] {
  const last = points.at(-1)?.at ?? 0;
  const columns = new Array<number | undefined>(width).fill(undefined);
  for (const point of points) {
    const column = last === 0 ? 0 : Math.min(width - 1, Math.floor((point.at / last) * width));
    columns[column] = Math.max(columns[column] ?? 0, of(point));
  }
  let before = 0;
  return columns.map((value) => (before = value ?? before));
}

/** How a line shows a value that reaches `height` lines above its own bottom: anything above nothing is seen. */
function bar(height: number): string {
  const eighths = height > 0 && height < 1 / 8 ? 1 : Math.round(height * 8);
  return bars[Math.max(0, Math.min(8, eighths))] ?? ' ';
}

const size = { width: 800, height: 150, left: 70, right: 20, top: 30, bottom: 15 } as const;

/** The three pictures below each other, as one SVG document. */
export function svgPlot(points: readonly PlotPoint[], title: string): string {
  const last = points.at(-1)?.at ?? 0;
  const height = panels.length * size.height + 30;
  const parts = panels.map((panel, index) => svgPanel(points, panel, index * size.height, last));
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${size.width} ${height}" font-family="sans-serif" font-size="12">`,
    `<title>${escaped(title)}</title>`,
    `<rect width="${size.width}" height="${height}" fill="white"/>`,
    ...parts,
    `<text x="${size.width - size.right}" y="${height - 12}" text-anchor="end">${rounded(last)} s</text>`,
    `<text x="${size.left}" y="${height - 12}">0 s</text>`,
    '</svg>',
    '',
  ].join('\n');
}

function svgPanel(points: readonly PlotPoint[], { title, unit, of }: Panel, y: number, last: number): string {
  const top = points.reduce((most, point) => Math.max(most, of(point)), 1);
  const wide = size.width - size.left - size.right;
  const high = size.height - size.top - size.bottom;
  const floor = y + size.top + high;
  const x = (at: number) => (size.left + (last === 0 ? 0 : at / last) * wide).toFixed(1);
  // A number holds until the next one: steps, no slopes.
  const steps = points.map((point) => `H${x(point.at)}V${(floor - (of(point) / top) * high).toFixed(1)}`).join('');
  return [
    `<text x="${size.left}" y="${y + 20}" font-weight="bold">${title}</text>`,
    `<text x="${size.left - 8}" y="${y + size.top + 8}" text-anchor="end">${rounded(top)}${unit}</text>`,
    `<text x="${size.left - 8}" y="${floor}" text-anchor="end">0${unit}</text>`,
    `<path d="M${size.left} ${floor}${steps}V${floor}Z" fill="#9cc4e4" stroke="#1f5f8b"/>`,
  ].join('\n');
}

function rounded(value: number): string {
  return Number.isInteger(value) ? String(value) : value.toFixed(1);
}

function escaped(text: string): string {
  return text.replace(/[&<>]/g, (sign) => `&#${sign.charCodeAt(0)};`);
}
