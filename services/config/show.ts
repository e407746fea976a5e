// The configuration in force, as YAML, without its secrets.
import { stringify } from 'yaml';
import type { Config } from './schema.ts';
import { withoutSecrets } from './shown-value.ts';

/** The configuration with defaults filled in and secrets hidden, as plain values. */
export function shownConfig(config: Config): unknown {
  return withoutSecrets(config, []);
}

/** The same as YAML. */
export function showConfig(config: Config): string {
  return stringify(shownConfig(config), { lineWidth: 0 });
}
