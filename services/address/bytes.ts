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

/** Bytes as a person reads them: UTF-8 shown, control characters made visible. */
export function readable(bytes: Bytes): string {
  // Nearly all are, and this is asked several times a message.
  if (/^[ -~]*$/.test(bytes)) return bytes;
  const text = Buffer.from(bytes, 'latin1').toString('utf8');
  return text.replace(/[\x00-\x1f\x7f-\x9f]/g, (char) => `\\x${char.charCodeAt(0).toString(16).padStart(2, '0')}`);
}
