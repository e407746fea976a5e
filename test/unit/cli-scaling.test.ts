// `rookery scaling simulate`: its picture, its figures, its SVG, and what it refuses.
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { rookery } from '../harness/cli.ts';

const burst = join(import.meta.dirname, '../traces/burst.csv');
const folder = mkdtempSync(join(tmpdir(), 'rookery-scaling-'));
after(() => {
  rmSync(folder, { recursive: true });
});

test('a trace is plotted as text, with figures, and as SVG', async () => {
  const svg = join(folder, 'burst.svg');
  const { code, out, err } = await rookery(['scaling', 'simulate', '--trace', burst, '--svg', svg]);
  assert.deepEqual([code, err], [0, []]);
  assert.equal(out[0], 'jobs in line');
  assert.match(out[1] ?? '', /^ +5000 │ +█/);
  assert.ok(out.includes('workers'));
  assert.match(out.join('\n'), /^most workers +4$/m);
  const text = readFileSync(svg, 'utf8');
  assert.match(text, /^<svg xmlns="http:\/\/www\.w3\.org\/2000\/svg" [^>]*>\n<title>default: .*burst\.csv<\/title>/);
  assert.equal(text.match(/<path /g)?.length, 3);
});

test('for programs it is one JSON object', async () => {
  const { out } = await rookery(['scaling', 'simulate', '--trace', burst, '-f', 'json']);
  const run = JSON.parse(out.join('\n')) as { pool: string; jobs: number; unfinished: number; samples: object[] };
  assert.deepEqual([run.pool, run.jobs, run.unfinished], ['default', 5000, 0]);
  assert.deepEqual(Object.keys(run.samples[0] ?? {}).sort(), [
    ...['active', 'at', 'depth', 'desired', 'oldestAge', 'ready'],
  ]);
});

test('the configuration says what the pool may do, and how often it is looked at', async () => {
  const env = { ROOKERY_CONFIG: '', ROOKERY_SCALING__POOLS: '{ big: { max: 9, concurrency: 50, cooldown: 5 } }' };
  const { out } = await rookery(['scaling', 'simulate', '-t', burst, '-p', 'big'], { env });
  assert.match(out.join('\n'), /^pool +big: 0 to 9 workers, 50 jobs at a time each$/m);
});

test('what it cannot do is said in one line', async () => {
  const bad = join(folder, 'bad.csv');
  writeFileSync(bad, 'at,jobs,duration\n0,x,1\n');
  const table: [string[], number, RegExp][] = [
    [['--trace', join(folder, 'none.csv')], 65, /none\.csv: it can't be read \(ENOENT\)/],
    [['--trace', bad], 65, /bad\.csv: line 2: '0,x,1': jobs must be a whole number/],
    [['--trace', burst, '--pool', 'nosuch'], 64, /'nosuch' is no pool: there are default/],
    [['--trace', burst, '--svg', join(folder, 'no/x.svg')], 69, /x\.svg can't be written \(ENOENT\)/],
    [[], 64, /--trace/],
  ];
  for (const [args, code, message] of table) {
    const ending = await rookery(['scaling', 'simulate', ...args]);
    assert.equal(ending.code, code, ending.err.join('\n'));
    assert.match(ending.err.join('\n'), message);
  }
});

test('pools that cannot be are refused, by their keys', async () => {
  const refused = async (pools: string) => {
    const env = { ROOKERY_CONFIG: '', ROOKERY_SCALING__POOLS: pools };
    const { code, err } = await rookery(['scaling', 'simulate', '-t', burst], { env });
    assert.equal(code, 78);
    return err.join('\n');
  };
  assert.match(await refused('{ a: { min: 5, max: 3 } }'), /scaling\.pools\.a\.min is 5; .*at most max, which is 3/);
  assert.match(
    await refused('{ a: { backend_limit: 5, concurrency: 10 } }'),
    /scaling\.pools\.a\.backend_limit is 5; .*at least concurrency, which is 10/,
  );
  assert.match(
    await refused('{ a: {}, b: {} }'),
    /scaling\.pools\.b\.queues .*scaling\.pools\.a\.queues leaves it out/,
  );
  assert.match(
    await refused('{ a: { queues: [reconcile] }, b: { queues: [reconcile] } }'),
    /scaling\.pools\.b\.queues .*scaling\.pools\.a\.queues has reconcile/,
  );
  assert.match(await refused('{ a: { queues: [nosuch] } }'), /scaling\.pools\.a\.queues/);
});
