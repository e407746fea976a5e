// Where the time of a V8 CPU profile went: `node test/bench/profile.ts FILE`, after `lmtp.ts --profile FOLDER`.
import { readFileSync } from 'node:fs';
import { figure, table } from './figures.ts';

/** What `node --cpu-prof` writes, as far as it is used here. Times in microseconds. */
interface Profile {
  nodes: { id: number; callFrame: { functionName: string; url: string; lineNumber: number } }[];
  samples: number[];
  timeDeltas: number[];
}

const file = process.argv[2];
if (file === undefined) {
  console.error('Usage: node test/bench/profile.ts FILE.cpuprofile');
  process.exit(64);
}
const profile = JSON.parse(readFileSync(file, 'utf8')) as Profile;
const names = new Map(profile.nodes.map(({ id, callFrame }) => [id, nameOf(callFrame)]));
const spent = new Map<string, number>();
profile.samples.forEach((id, index) => {
  const name = names.get(id) ?? '?';
  spent.set(name, (spent.get(name) ?? 0) + (profile.timeDeltas[index] ?? 0));
});
spent.delete('(idle)');
const busy = Array.from(spent.values()).reduce((sum, time) => sum + time, 0);
const most = [...spent].sort(([, a], [, b]) => b - a).slice(0, 30);
const rows = most.map(([name, time]) => [name, figure(time / 1000), `${figure((100 * time) / busy, 1)} %`]);
console.log(table([['self time', 'ms', 'of busy'], ...rows]));

/** Function and file, the file by its last three folders; V8's own entries, like `(garbage collector)`, by name. */
function nameOf(frame: Profile['nodes'][number]['callFrame']): string {
  const place = frame.url.split('/').slice(-3).join('/');
  return place === ''
    ? frame.functionName || '(native)'
    : `${frame.functionName || '(anonymous)'} ${place}:${frame.lineNumber + 1}`;
}
