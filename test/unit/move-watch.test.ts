// A run as it is watched: the bar of a terminal and plain lines, its speed, its report, and the figures of a minute.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { barText, progressText, watchRun } from '../../services/cli/move-watch.ts';
import { CommandError, exit } from '../../services/cli/exit-codes.ts';
import { durationText, runCode, runsTable, sizeText } from '../../services/cli/move-view.ts';
import { rowStates } from '../../services/moves/run.ts';
import { speedOf } from '../../services/moves/run-eta.ts';
import { timed } from '../../services/moves/timed-driver.ts';
import type { MoveDriver } from '../../services/moves/driver.ts';
import type { MoveOperations } from '../../services/operations/move-operations.ts';
import { Refusal } from '../../services/operations/refusal.ts';
import { csvLine } from '../../services/operations/report-csv.ts';
import type { EndValue, WholeRunValue } from '../../services/operations/run-value.ts';

const none = Object.fromEntries(rowStates.map((state) => [state, 0])) as WholeRunValue['counts'];

function runAt(counts: Partial<WholeRunValue['counts']>, more: Partial<WholeRunValue> = {}): WholeRunValue {
  return {
    ...{ run: 'r', plan: 'h', state: 'running', why: 'started by ann', by: 'ann', since: '2026-01-01T00:00:00.000Z' },
    ...{ moves: 10, octets: 10_000, counts: { ...none, ...counts }, octets_moved: 2000, windows: [] },
    limits: { total: 8, per_source: 4, per_destination: 4, per_partition: 4, bytes_per_second: 0 },
    stop_when: { failed: 5, failed_percent: 5, deferred: 0, latency: 0 },
    ...{ under_way: [], ends: 0 },
    ...more,
  };
}

/** Operations that tell one state of a run after the other. */
function told(states: readonly WholeRunValue[], ends: readonly EndValue[] = []): MoveOperations {
  let at = -1;
  const show = () => Promise.resolve(states[Math.min((at += 1), states.length - 1)]);
  return { show, ends: (_: string, after: number) => Promise.resolve(ends.slice(after)) } as never;
}

const end = (name: string, state: EndValue['state']): EndValue => ({
  ...{ number: 1, name, state, note: 'why', octets: 1 },
});

const over = { state: 'done', ended: '2026-01-01T01:00:00.000Z', why: '9 of 10 are moved' } as const;

const unexpected = (line: string) => {
  throw new Error(`told on standard error: ${line}`);
};

test('plain lines tell what failed, how far it is, and the end; the exit code is that of the run', async () => {
  const lines: string[] = [];
  const states = [
    runAt({ waiting: 8, moving: 2 }),
    runAt({ waiting: 8, moving: 2 }),
    runAt({ done: 9, refused: 1 }, { ...over, ends: 2 }),
  ];
  const moves = told(states, [end('user.a', 'done'), end('user.b', 'refused')]);
  const last = await watchRun(moves, 'r', { out: (line) => lines.push(line), err: unexpected });
  assert.deepEqual(lines, [
    '0 of 10 trees, 2 under way, 2.0 kB of 10.0 kB',
    'user.b: refused: why',
    '10 of 10 trees, 1 failed, 0 under way, 2.0 kB of 10.0 kB, done: 9 of 10 are moved',
    'r: done: 9 of 10 are moved',
  ]);
  assert.equal(runCode(last), 65);
  assert.equal(runCode(runAt({ done: 10 }, over)), 0);
  assert.equal(runCode(runAt({ done: 10 }, { ...over, state: 'cancelled' })), 75);
});

test('a silence is told once and waited out; what is refused for another reason ends it', async () => {
  const [lines, complaints]: [string[], string[]] = [[], []];
  const states = [runAt({ waiting: 8, moving: 2 }), runAt({ done: 10 }, { ...over, ends: 0 })];
  const silent = new Refusal('unavailable', 'the runs could not be asked: Command timed out');
  const away = new CommandError(exit.unavailable, 'the API at http://x cannot be asked: connect ECONNREFUSED');
  const answers: (WholeRunValue | Error)[] = [states[0], silent, away, states[1]] as never;
  const show = () => {
    const next = answers.shift();
    return next instanceof Error ? Promise.reject(next) : Promise.resolve(next);
  };
  const moves = { show, ends: () => Promise.resolve([]) } as never;
  const screen = { out: (line: string) => lines.push(line), err: (line: string) => complaints.push(line) };
  assert.equal(runCode(await watchRun(moves, 'r', screen)), 0);
  assert.deepEqual(complaints, [
    'rookery: the runs could not be asked: Command timed out; the run goes on without this command, which asks again',
  ]);
  answers.push(states[0] as WholeRunValue, new Refusal('missing', 'there is no run r'));
  await assert.rejects(watchRun(moves, 'r', screen), /there is no run r/);
  answers.push(silent);
  await assert.rejects(watchRun(moves, 'r', screen), /could not be asked/, 'who was never answered does not wait');
});

test('a terminal has one bar that is drawn over, with what is under way; a run that stops by itself ends it', async () => {
  let screen = '';
  const move = { name: 'user.x', to: 'mail2!', step: 'cut', from: 'mail1!', note: '' } as never;
  const states = [
    runAt({ moving: 1, waiting: 9 }),
    runAt({ moving: 1, waiting: 7, done: 2 }, { under_way: [move], eta_seconds: 3700, moves_per_minute: 12 }),
    runAt({ waiting: 5, refused: 3, done: 2 }, { state: 'stopped', why: '3 moves have failed', ends: 1 }),
  ];
  const write = (text: string) => {
    screen += text;
  };
  const out = () => assert.fail('all is drawn');
  const last = await watchRun(told(states, [end('user.y', 'refused')]), 'r', {
    out,
    err: unexpected,
    terminal: { columns: 60, write },
  });
  assert.equal(runCode(last), 75);
  const [first, second = ''] = screen.split('\x1b[J');
  assert.equal(first?.endsWith('A\r'), true);
  assert.match(second, /^user\.y: refused: why\n\[#{15}\.{15}\] {2}50\.0 %\n5 of 10 trees, 3 failed/, 'above the bar');
  assert.ok(screen.split('\n').every((line) => line.replaceAll(/\x1b\[\d*[AJ]|\r/g, '').length < 60));
  assert.ok(screen.endsWith('r: stopped: 3 moves have failed\n'));
});

test('what no worker takes is told once, and not where others are at work or nothing may begin', async () => {
  const waits = runAt({ waiting: 10 });
  const idle = { ...waits, under_way: [{ name: 'user.x', note: 'ordered' }] } as WholeRunValue;
  const looked = { ...waits, under_way: [{ name: 'user.x', note: 'mail1 does not answer' }] } as WholeRunValue;
  const other = { ...runAt({ moving: 1 }), run: 's' };
  const done = runAt({ done: 10 }, over);
  const shut = { ...waits, state: 'paused' } as const;
  const cases: [states: WholeRunValue[], runs: WholeRunValue[], times: number][] = [
    ...(
      [
        [[waits, waits, waits, done], [waits], 1],
        [[idle, idle, done], [idle], 1],
      ] as const
    ).map(([states, runs, times]): [WholeRunValue[], WholeRunValue[], number] => [[...states], [...runs], times]),
    [[waits, looked, looked, done], [looked], 0],
    [[waits, waits, done], [waits, other], 0],
    [[waits, shut, shut, done], [shut], 0],
    [[runAt({ waiting: 9, done: 1 }, { ends: 1 }), done], [], 0],
  ];
  for (const [states, runs, times] of cases) {
    const said: string[] = [];
    const moves = { ...told(states), list: () => Promise.resolve(runs) };
    await watchRun(moves, 'r', { out: () => undefined, err: (line) => said.push(line) }, 0);
    assert.equal(said.length, times, said.join());
    for (const line of said) assert.match(line, /no worker has taken it: a process with the role worker does/);
  }
});

test('one tree is told as one, and what was cancelled has not failed', () => {
  assert.match(progressText(runAt({ back: 1 }, { moves: 1 })), /^1 of 1 tree, 1 back, 0 under way/);
  assert.match(progressText(runAt({ done: 2, dropped: 8 }, {})), /^10 of 10 trees, 8 dropped, 0 under way/);
  const notes = ['mail3 does not answer', 'mail2 does not answer', 'mail3 does not answer'];
  const cut = { name: 'user.x', from: 'mail1!', to: 'mail2!', step: 'cut', note: '' };
  const waiting = notes.map((note) => ({ ...cut, step: 'wait', note }));
  assert.match(
    progressText(runAt({ moving: 4 }, { under_way: [cut, ...waiting] as never })),
    /4 under way \(3 wait: mail3 does not answer\), /,
  );
  const [row = []] = runsTable([runAt({ done: 3, back: 4, refused: 1, stopped: 1 })]).rows;
  assert.deepEqual(row.slice(2, 6), ['10', '3', '2', '4']);
});

test('bars, sizes and times are told in few characters', () => {
  assert.equal(barText(runAt({ done: 3 })), `[${'#'.repeat(9)}${'.'.repeat(21)}]  30.0 %`);
  assert.equal(barText({ counts: none, moves: 0 }), `[${'#'.repeat(30)}] 100.0 %`);
  const windows = ['22:00-06:00', 'sat,sun'];
  assert.match(progressText(runAt({ waiting: 3 }, { windows })), /, moves begin at 22:00-06:00, sat,sun only$/);
  assert.doesNotMatch(progressText(runAt({ waiting: 3, moving: 1 }, { windows })), /begin/);
  assert.match(progressText(runAt({}, { eta_seconds: 8040, moves_per_minute: 56 })), /56\/min, 2h 14m left$/);
  assert.deepEqual([0, 45, 750, 8040, 273_600].map(durationText), ['0s', '45s', '12m 30s', '2h 14m', '3d 4h']);
  assert.deepEqual([0, 999, 1000, 41_000_000, 1.5e15].map(sizeText), ['0 B', '999 B', '1.0 kB', '41.0 MB', '1.5 PB']);
});

test('the speed is that of the moves that ended last; too few say nothing', () => {
  const ends = (count: number, every: number) =>
    Array.from({ length: count }, (_, at) => ({ at: 1000 + at * every, octets: 20_000_000, state: 'done' as const }));
  assert.equal(speedOf(ends(1, 1000), { moves: 5, octets: 5 }, 9000), undefined);
  const speed = speedOf(ends(61, 1000), { moves: 30, octets: 600_000_000 }, 61_000);
  assert.deepEqual(speed, { movesPerMinute: 60, octetsPerSecond: 20_000_000, eta: 30 });
  const failed = ends(9, 1000).map((one) => ({ ...one, state: 'refused' as const }));
  assert.equal(speedOf(failed, { moves: 1, octets: 1 }, 99_000), undefined, 'what failed moves nothing');
});

test('a line of CSV is read as it was meant, also by spreadsheets', () => {
  assert.equal(csvLine(['a', 1, undefined, 'b,c', 'say "x"', 'two\nlines']), 'a,1,,"b,c","say ""x""","two\nlines"\r\n');
  assert.equal(csvLine(['=1+1', '+x', '@y', '-z', '-']), "'=1+1,'+x,'@y,'-z,'-\r\n");
});

test('a driver is timed by its looks, and is else the same', async () => {
  class Driver {
    readonly #has = 'has';
    readonly name = 'fake';
    holds(server: string) {
      return server === 'away' ? Promise.reject(new Error('away')) : Promise.resolve(this.#has);
    }
    push() {
      return Promise.resolve(this.#has);
    }
  }
  const seen: string[] = [];
  const driver = timed(new Driver() as unknown as MoveDriver, (server, took) => {
    assert.ok(took >= 0);
    seen.push(server);
  });
  assert.equal(await driver.holds('mail1', 'user.x'), 'has');
  await assert.rejects(driver.holds('away', 'user.x'));
  await driver.push('mail1', []);
  assert.deepEqual([driver.name, seen], ['fake', ['mail1', 'away']]);
});
