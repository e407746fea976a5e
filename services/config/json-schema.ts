// The configuration as JSON Schema, for editors.
import { z } from 'zod';
import { configSchema } from './schema.ts';
import { defaultOf } from './walk.ts';

/** JSON Schema (draft 2020-12) of the file as people write it. */
export function configJsonSchema(): unknown {
  return z.toJSONSchema(configSchema, {
    io: 'input',
    override: ({ zodSchema, jsonSchema }) => {
      const { otherwise } = jsonSchema as { otherwise?: string };
      const value = defaultOf(zodSchema);
      // A default that depends on the machine is no part of the schema; one behind a transform zod leaves out.
      if (otherwise !== undefined) delete jsonSchema.default;
      else if (value !== undefined) Object.assign(jsonSchema, { default: value });
      for (const own of ['expects', 'otherwise', 'secret']) Reflect.deleteProperty(jsonSchema, own);
    },
  });
}
