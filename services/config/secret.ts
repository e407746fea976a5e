// Secrets: written into the configuration, or named by a file that is read while loading.
import { z } from 'zod';
import { key } from './key.ts';

/** What the value of a secret looks like wherever it would be shown. */
export const hidden = '(hidden)';

/** A secret fits on one line: NUL, CR and LF can't be carried by the protocols that hand it over. */
export const secretText = z
  .string()
  .min(1)
  .max(1024)
  .regex(/^[^\0\r\n]*$/);

/** `password` and `password_file`, for whom they are told to be. */
export function passwordKeys(whose: string, file: string) {
  return {
    password: key(z.exactOptional(secretText), {
      doc: `The password ${whose}. Better kept in a file of its own: see password_file.`,
      expects: 'text of 1 to 1024 characters on one line',
      example: 'a secret',
      otherwise: 'none',
      secret: 'all',
    }),
    password_file: key(z.exactOptional(z.string().min(1)), {
      doc: `The file that holds the password ${whose}; one newline at its end is not part of it. Relative paths start at the configuration file's folder.`,
      expects: 'the path of a readable file, in place of password',
      example: file,
      otherwise: 'none',
    }),
  };
}
