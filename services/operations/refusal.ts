// Why an operation was not carried out, in a form that every door can tell in its own way.

/**
 * `usage`: what was asked for cannot be, whatever is there. `data`: what was given to work on is wrong. `missing`: what
 * was named is not there. `unsafe`: it would do harm, or cannot be done to what it is now. `unavailable`: what is needed
 * for it does not answer.
 */
export type RefusalKind = 'usage' | 'data' | 'missing' | 'unsafe' | 'unavailable';

export class Refusal extends Error {
  override readonly name = 'Refusal';
  readonly kind: RefusalKind;

  constructor(kind: RefusalKind, message: string, options?: ErrorOptions) {
    super(message, options);
    this.kind = kind;
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
