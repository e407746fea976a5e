// The Lua scripts of the directory, each put together once.
import { readFileSync } from 'node:fs';
import { Script } from '../../redis/script.ts';
import { reasons } from '../case.ts';
import type { Policy } from '../rules.ts';
import { situations } from '../rules.ts';
import { bucketRows } from '../tree.ts';
import type { Verb } from '../directory.ts';

export { pairsIn, replyFrom, stringsIn } from '../../redis/script.ts';
export type { Reply } from '../../redis/script.ts';

function source(name: string): string {
  return readFileSync(new URL(`scripts/${name}.lua`, import.meta.url), 'utf8');
}

/** A truth as an argument of a script. */
export function flag(value: boolean): string {
  return value ? '1' : '0';
}

const prologue = `local prefix = ARGV[1]\n${source('rows')}`;

export const lookupScript = new Script(prologue + source('lookup'));
export const readTreesScript = new Script(prologue + source('read-trees'));
export const makeScript = new Script(prologue + source('make'));
export const vouchScript = new Script(prologue + source('vouch'));
export const verifyScript = new Script(prologue + source('verify'));
export const noteScript = new Script(prologue + source('note'));
export const raiseScript = new Script(prologue + source('raise'));

const words = Object.entries(reasons).map(([word, reason]) => `${word}=${quoted(reason)}`);
const constants = `local bucket_rows = ${bucketRows}\nlocal reasons = {${words.join(',')}}\n`;
const writing = prologue + constants + source('store') + source('cases');
export const leaseScript = new Script(writing + source('lease'));
export const releaseScript = new Script(writing + source('release'));
export const endSessionScript = new Script(writing + source('end-session'));
export const heardScript = new Script(writing + source('heard'));
export const resolveScript = new Script(writing + source('resolve'));
export const suspectScript = new Script(writing + source('suspect'));
export const undoScript = new Script(writing + source('undo'));

/** The script of one verb: the verb's column of the policy's table goes before the text that obeys it. */
export function writeScript(policy: Policy, verb: Verb): Script {
  const cells = situations.map((situation) => {
    const rules = policy.table[situation][verb].map(
      ({ when = [], effect, ok, ring = '' }) => `{'${when.join(' ')}','${effect}',${String(ok)},${quoted(ring)}}`,
    );
    return `['${situation}']={${rules.join(',')}}`;
  });
  const head = `local VERB, bound = '${verb}', ${String(policy.bound)}\nlocal cells = {${cells.join(',')}}\n`;
  return new Script(writing + head + source('write'));
}

/** A text of ours as a string of Lua. */
function quoted(text: string): string {
  return `'${text.replace(/[\\']/g, '\\$&')}'`;
}
