// The sample configuration and the JSON Schema beside this file. To write them anew: `node infra/config/generate.ts && prettier --write infra/config`.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { exampleConfig } from '../../services/config/example.ts';
import { configJsonSchema } from '../../services/config/json-schema.ts';

/** The content of each generated file, by name. */
export function generatedFiles(): Record<string, string> {
  return {
    'rookery.example.yaml': exampleConfig(),
    'rookery.schema.json': `${JSON.stringify(configJsonSchema(), null, 2)}\n`,
  };
}

if (process.argv[1] === import.meta.filename) {
  for (const [name, content] of Object.entries(generatedFiles()))
    writeFileSync(join(import.meta.dirname, name), content);
}
