// Why an operation was not carried out, in a form that every door can tell in its own way.

/**
 * `usage`: what was asked for cannot be, whatever is there. `data`: what was given to work on is wrong. `missing`: what
 * was named is not there. `unsafe`: it would do harm, or cannot be done to what it is now. `unavailable`: what is needed
 * for it does not answer.
 */
export type RefusalKind = 'usage' | 'data' | 'missing' | 'unsafe' | 'unavailable';

/** One thing of several that is wrong: `users.3`, its value, and what it may be. */
export interface RefusedField {
  field: string;
  value: string;
  expected: string;
}

export class Refusal extends Error {
  override readonly name = 'Refusal';
  readonly kind: RefusalKind;
  /** Where it is about several things, those that are wrong; the message says them, too. */
  readonly fields: readonly RefusedField[];

  constructor(
    kind: RefusalKind,
    message: string,
    { fields = [], ...options }: ErrorOptions & { fields?: readonly RefusedField[] } = {},
  ) {
    super(message, options);
    this.kind = kind;
    this.fields = fields;
  }
}

type Operation = (...given: never[]) => Promise<unknown>;

/**
 * The same operations, of which any failure that is no refusal is one: whom they ask (`the directory`) could not be
 * asked, and why.
 */
export function asked<T extends { readonly [K in keyof T]: Operation }>(whom: string, operations: T): T {
  const guarded = Object.entries<Operation>(operations).map(([name, operation]) => {
    const guard = async (...given: never[]) => {
      try {
        return await operation(...given);
      } catch (error) {
        if (error instanceof Refusal) throw error;
        const reason = error instanceof Error ? error.message : String(error);
        throw new Refusal('unavailable', `${whom} could not be asked: ${reason}`, { cause: error });
      }
    };
    return [name, guard] as const;
  });
  return Object.fromEntries(guarded) as unknown as T;
}
