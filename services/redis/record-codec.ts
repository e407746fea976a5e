// How a record is written down: JSON with a version, read again only where it is whole, and of that version.
import { z } from 'zod';

/** A byte string: one character (0 to 255) a byte. */
export const bytes = z.string().regex(/^[\x00-\xff]*$/);

export interface RecordCodec<R> {
  /** Throws where it could not be read again: better now than ever after. */
  written: (record: R) => string;
  /** Undefined where it is none, or one of another version. */
  read: (text: string) => R | undefined;
}

const versioned = z.looseObject({ v: z.literal(1) });

export function recordCodec<R extends object>(form: z.ZodType<R>): RecordCodec<R> {
  return {
    written: (record) => JSON.stringify({ v: 1, ...form.parse(record) }),
    read(text) {
      try {
        const { v, ...record } = versioned.parse(JSON.parse(text));
        return form.parse(record);
      } catch {
        return undefined;
      }
    },
  };
}
