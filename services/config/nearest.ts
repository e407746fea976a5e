// The nearest of some known names, for "did you mean".

/** How many letters must be added, removed or changed to get from one word to the other (Levenshtein). */
function distance(from: string, to: string): number {
  let previous = Array.from({ length: to.length + 1 }, (_, index) => index);
  for (let i = 1; i <= from.length; i += 1) {
    const row = [i];
    for (let j = 1; j <= to.length; j += 1) {
      const swap = (previous[j - 1] ?? 0) + (from[i - 1] === to[j - 1] ? 0 : 1);
      row.push(Math.min(swap, (previous[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1));
    }
    previous = row;
  }
  return previous[to.length] ?? 0;
}

/** The known name that is most alike, if any is alike at all: at most 2 letters off, or a third of a long one. */
export function nearest(name: string, known: readonly string[]): string | undefined {
  if (name.length > 100) return undefined;
  const away = known.map((word) => ({ word, off: distance(name.toLowerCase(), word.toLowerCase()) }));
  away.sort((a, b) => a.off - b.off);
  const [best] = away;
  return best && best.off <= Math.max(2, Math.floor(best.word.length / 3)) ? best.word : undefined;
}
