// The lines of a program's output, in bounds: mail may be among it, and a line of any length.
import type { Readable } from 'node:stream';

/** How much of a line is looked at, in bytes. */
const longestLine = 1_000;

/** Tells of each line, the beginning of what is long, until the output ends. Never rejects. */
export async function linesOf(output: Readable, tell: (line: string) => void): Promise<void> {
  let line = '';
  try {
    for await (const chunk of output) {
      const [first = '', ...more] = (chunk as Buffer).toString('latin1').split('\n');
      line = cut(line + cut(first));
      for (const next of more) {
        tell(line.trimEnd());
        line = cut(next);
      }
    }
  } catch {
    // Closed before its end.
  }
  if (line !== '') tell(line.trimEnd());
}

function cut(text: string): string {
  return text.slice(0, longestLine);
}
