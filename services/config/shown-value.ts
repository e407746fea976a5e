// Values of the configuration as they may be shown: secrets never, long ones cut.
import { hidden } from './secret.ts';
import { factsAt } from './walk.ts';
import type { Path } from './walk.ts';

/** What sounds so and is the path of a file. */
const namesFile = /_file$|^tls_server_key$/;

/** Unknown keys whose value is better not shown: a misspelt `password` is still a password. */
const soundsSecret = /pas+w|pwd|secret|token|credential|key$|url/i;

/** A copy without its secrets, for the value at a path. */
export function withoutSecrets(value: unknown, path: Path): unknown {
  if (Array.isArray(value)) return value.map((item, index) => withoutSecrets(item, [...path, index]));
  if (typeof value === 'object' && value !== null) {
    return Object.fromEntries(
      Object.entries(value).map(([name, item]) => [name, withoutSecrets(item, [...path, name])]),
    );
  }
  const last = path.at(-1);
  const secret = factsAt(path)?.secret;
  if (secret === 'url' && typeof value === 'string') return value.replace(/^([a-z]+:\/\/)?.*@/s, `$1${hidden}@`);
  if (secret !== undefined) return hidden;
  if (typeof last === 'string' && soundsSecret.test(last) && !namesFile.test(last)) return hidden;
  return value;
}

/** A value as one short text for a message. */
export function shownValue(value: unknown, path: Path): string {
  if (value === undefined) return 'missing';
  const safe = withoutSecrets(value, path);
  if (safe === hidden) return hidden;
  const text = JSON.stringify(safe);
  return text.length > 120 ? `${text.slice(0, 117)}...` : text;
}
