// Writes the sample configuration and the JSON Schema beside this file: `node infra/config/generate.ts && prettier --write infra/config`.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { exampleConfig } from '../../services/config/example.ts';
import { configJsonSchema } from '../../services/config/json-schema.ts';

writeFileSync(join(import.meta.dirname, 'rookery.example.yaml'), exampleConfig());
writeFileSync(join(import.meta.dirname, 'rookery.schema.json'), `${JSON.stringify(configJsonSchema(), null, 2)}\n`);
