// The registry of backends, made from the configuration.
import { Registry } from '../backends/registry.ts';
import type { Config } from '../config/schema.ts';

export function registryOf(config: Config): Registry {
  return new Registry(Object.entries(config.backends).map(([name, { lmtp, mupdate }]) => ({ name, lmtp, mupdate })));
}
