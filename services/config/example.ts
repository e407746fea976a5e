// The sample file: every key with its comment and default, an example where there is no default.
import { stringify } from 'yaml';
import { defaultText } from './describe.ts';
import { defaultOf, keysBelow, shapeOf } from './walk.ts';
import type { Key } from './walk.ts';

const width = 110;

/** Text broken into lines of comment. */
function comment(text: string, indent: string): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && indent.length + 2 + line.length + 1 + word.length > width) {
      lines.push(`${indent}# ${line}`);
      line = '';
    }
    line += (line === '' ? '' : ' ') + word;
  }
  return [...lines, `${indent}# ${line}`];
}

function yamlOf(name: string, value: unknown, mark: string): string[] {
  return stringify({ [name]: value }, { lineWidth: 0 })
    .trimEnd()
    .split('\n')
    .map((line) => mark + line);
}

/** A key as the sample tells it: what it is for, what it may be, and a line to take the comment mark off. */
function told(key: Key, indent: string): string[] {
  const { path, schema, facts } = key;
  const name = String(path.at(-1));
  const value = defaultOf(schema) !== undefined && facts?.otherwise === undefined ? defaultOf(schema) : facts?.example;
  return [
    ...comment(facts?.doc ?? '', indent),
    ...comment(`May be: ${facts?.expects ?? ''}.`, indent),
    ...comment(`Default: ${defaultText(key)}.`, indent),
    ...yamlOf(name, value, `${indent}# `),
    '',
  ];
}

/** A section, with its keys below; entries of maps and items of lists are told where their map or list is. */
function section(key: Key): string[] {
  const isSection = shapeOf(key.schema) !== undefined && key.schema._zod.def.type === 'prefault';
  if (!isSection) return told(key, '');
  const inner = Array.from(keysBelow(key.path, key.schema)).filter(({ path }) => path.length === key.path.length + 1);
  const name = String(key.path.at(-1));
  return [...comment(key.facts?.doc ?? '', ''), `${name}:`, ...inner.flatMap((each) => told(each, '  '))];
}

/** A configuration file that says everything and sets nothing. */
export function exampleConfig(): string {
  const head = [
    '# The configuration of Rookery: every key, with its default or an example. Generated: change the schema in',
    '# services/config, not this file. `rookery config describe` tells also the keys within lists and maps.',
    '# An environment variable overrides a key: lmtp.size_limit is ROOKERY_LMTP__SIZE_LIMIT.',
    '',
  ];
  const keys = Array.from(keysBelow()).filter(({ path }) => path.length === 1);
  return `${[...head, ...keys.flatMap(section)].join('\n').trimEnd()}\n`;
}
