// A share of new users for a backend that is tried out: the same ones whenever it is asked, and by whom.

/** Whether a user is among `percent` of 100 that the canary gets. */
export function isForCanary(user: string, canary: string, percent: number): boolean {
  return (100 * hashOf(`${canary}\n${user}`)) / 2 ** 32 < percent;
}

/** FNV-1a of 32 bits, its bits mixed once more: names differ in their last letters only. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (const letter of text) hash = Math.imul(hash ^ (letter.codePointAt(0) ?? 0), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
