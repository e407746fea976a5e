// An operator's command on a real Redis, in this process: as the program carries it out, without the second that a process takes.
import { openers } from '../../services/cli/openers.ts';
import { rookery } from './cli.ts';

export interface Said {
  code: number;
  out: string;
  err: string;
}

/** With these variables, which say where the configuration is, or what. */
export async function operatorIn(env: Readonly<Record<string, string>>, ...words: string[]): Promise<Said> {
  const { code, out, err } = await rookery(words, { env, ...openers });
  const text = (lines: readonly string[]) => lines.map((line) => `${line}\n`).join('');
  return { code, out: text(out), err: text(err) };
}

/** With this configuration. */
export function operator(configFile: string, ...words: string[]): Promise<Said> {
  return operatorIn({ ROOKERY_CONFIG: configFile }, ...words);
}
