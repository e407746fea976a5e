// What addresses and mailbox names are made of here: bytes, never text that somebody has decoded.

/**
 * A byte string: a JavaScript string of which each character (0 to 255) is one byte, as in the directory's entries.
 */
export type Bytes = string;

/**
 * Lower case of A to Z and of nothing else: other bytes may be parts of UTF-8, where case is not ours to judge
 * (RFC 5321 section 2.4: local parts are case-sensitive unless their own host says otherwise).
 */
export function lowerCase(bytes: Bytes): Bytes {
  return /[A-Z]/.test(bytes) ? bytes.replace(/[A-Z]+/g, (run) => run.toLowerCase()) : bytes;
}

/** One character in UTF-8, or else one byte. */
const character =
  /[\x00-\x7f]|[\xc2-\xdf][\x80-\xbf]|\xe0[\xa0-\xbf][\x80-\xbf]|\xed[\x80-\x9f][\x80-\xbf]|[\xe1-\xec\xee\xef][\x80-\xbf]{2}|\xf0[\x90-\xbf][\x80-\xbf]{2}|[\xf1-\xf3][\x80-\xbf]{3}|\xf4[\x80-\x8f][\x80-\xbf]{2}|[^]/g;

/** Bytes as a person reads them: UTF-8 shown, control characters and whatever is no UTF-8 made visible. */
export function readable(bytes: Bytes): string {
  // Nearly all are, and this is asked several times a message.
  if (/^[ -~]*$/.test(bytes)) return bytes;
  const text = Buffer.from(bytes, 'latin1').toString('utf8');
  const shown = text.includes('\ufffd') ? bytes.replace(character, readableCharacter) : text;
  return shown.replace(/[\x00-\x1f\x7f-\x9f]/g, escaped);
}

function readableCharacter(one: Bytes): string {
  return one.length === 1 && one > '\x7f' ? escaped(one) : Buffer.from(one, 'latin1').toString('utf8');
}

function escaped(char: string): string {
  return `\\x${char.charCodeAt(0).toString(16).padStart(2, '0')}`;
}
