// The saga of a move, cell by cell: where the directory has the root, what the source says, what the destination says.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Entry } from '../../services/directory/entry.ts';
import { rootOf, settles } from '../../services/moves/moved-case.ts';
import type { Move } from '../../services/moves/move.ts';
import { nextStep } from '../../services/moves/saga.ts';
import { standingOf } from '../../services/moves/standing.ts';
import type { RootAt, Standing } from '../../services/moves/standing.ts';
import type { Facts, Said, Step } from '../../services/moves/step.ts';

const name = 'user.ann';

const moveOf = (more: Partial<Move> = {}): Move => ({
  ...{ name, from: { server: 'mail1', partition: 'default' }, to: { server: 'mail2', partition: '' } },
  ...{ by: 'test', since: 1, state: 'open', cancelled: false, attempts: 0, octets: 0, messages: 0 },
  ...{ times: {}, step: '', note: '' },
  ...more,
});
/** A cut was tried. */
const cutOnce = moveOf({ attempts: 1, note: 'NO' });
const within = moveOf({ to: { server: 'mail1', partition: 'big' } });

const standing = (root: RootAt, more: Partial<Standing> = {}): Standing => ({
  ...{ root, text: `${root} row`, handed: root === 'handed' ? [name] : [] },
  ...{ atSource: [], atDestination: [], misplaced: [], strange: [] },
  ...more,
});

interface Cell extends Partial<Omit<Facts, 'rows'>> {
  rows?: Partial<Standing>;
  move?: Move;
}

/** All is ready and held, unless the cell says otherwise. */
function stepIn(root: RootAt, source: Said, destination: Said, cell: Cell = {}): Step {
  const { move = moveOf(), rows, ...more } = cell;
  return nextStep(move, {
    ...{ rows: standing(root, rows), source, destination, lacked: [], lease: 'none', heard: false, manifest: 'none' },
    ...{ compared: {}, twin: false, removing: false, ours: { source: false, destination: false } },
    ...{ ready: { checked: true, copied: true }, observed: false, attempts: 3 },
    ...more,
  });
}

/** A step as its verb, with what it is about. */
function shown(step: Step): string {
  if (step.do === 'push') return `push at ${step.server}: ${step.names.join(' ')}`;
  if (step.do === 'write') return `write: ${step.names.join(' ')}`;
  if (step.do === 'verify') return step.source ? 'verify with source' : 'verify';
  if (step.do === 'finish') return step.as;
  return step.do === 'wait' && step.person ? 'wait for a person' : step.do;
}

const held = { lease: 'ours', heard: true } as const;
const equal = { compared: { manifest: [] } } as const;
const bothEqual = { compared: { manifest: [], source: [] } } as const;
const lacking = { compared: { manifest: ['user.ann lacks UID 7'] } } as const;

type Row = [root: RootAt, source: Said, destination: Said, cell: Cell, step: string, why: string];

/** The 3x2x2 table of section 5.8, before and after a cut was tried. */
const table: Row[] = [
  ['source', 'has', 'lacks', {}, 'hold', 'fresh: what is ready is held'],
  ['source', 'has', 'has', {}, 'hold', 'copied ahead, not cut: the cut brings our older copy up to date'],
  ['source', 'lacks', 'lacks', {}, 'stop', 'nobody has it: a person is called'],
  ['source', 'lacks', 'has', {}, 'stop', 'a copy that nothing vouches for is not made the only one'],
  ['source', 'has', 'lacks', { move: cutOnce }, 'hold', 'the cut came to nothing: once more'],
  ['source', 'has', 'has', { move: cutOnce }, 'hold', 'the cut broke off before it handed anything: once more'],
  ['source', 'lacks', 'lacks', { move: cutOnce }, 'stop', 'nobody has it, and it is no first look'],
  ['source', 'lacks', 'has', { move: cutOnce }, 'stop', 'without a manifest nobody can say that it is whole'],
  ['handed', 'has', 'lacks', { move: cutOnce }, 'hold', 'broken off early: the cut is finished, under the lease'],
  ['handed', 'has', 'has', { move: cutOnce }, 'hold', 'broken off in the midst: the cut is finished'],
  ['handed', 'lacks', 'has', { move: cutOnce }, 'hold', 'the dangerous window: to be repaired under the lease'],
  ['handed', 'lacks', 'lacks', { move: cutOnce }, 'stop', 'the only copy is nowhere'],
  ['destination', 'lacks', 'has', { move: cutOnce }, 'observe', 'moved: watched for a while'],
  ['destination', 'lacks', 'has', {}, 'done', 'moved already, by whomever'],
  ['destination', 'has', 'has', {}, 'done', 'moved already; what is left at the source is named'],
  ['destination', 'has', 'has', { move: cutOnce }, 'observe', 'moved, and the source could not delete its copy'],
  ['destination', 'has', 'lacks', {}, 'stop', 'the directory points to who does not have it'],
  ['destination', 'lacks', 'lacks', { move: cutOnce }, 'stop', 'nobody has it'],
];

/** On the way, one step at a time. */
const course: Row[] = [
  ['source', 'has', 'lacks', { ready: { checked: false, copied: false } }, 'check', 'nothing is begun unlooked-at'],
  ['source', 'has', 'lacks', { ready: { checked: true, copied: false } }, 'copy', 'copied while mail goes on'],
  ['source', 'has', 'has', { ready: { checked: true, copied: false }, ...held }, 'release', 'no mail waits for a copy'],
  ['source', 'has', 'has', { lease: 'another' }, 'wait', 'a second mover does nothing'],
  ['source', 'has', 'has', { removing: true }, 'refuse', 'an order that is open would remove what is brought there'],
  ['source', 'has', 'lacks', { removing: true, ...held, manifest: 'held' }, 'release', 'also at the last moment'],
  ['source', 'has', 'has', { removing: true, move: cutOnce }, 'wait for a person', 'what is begun is not given up'],
  [
    'handed',
    'has',
    'has',
    { removing: true, move: cutOnce, ...held },
    'push at mail1: user.ann',
    'and mail goes on meanwhile',
  ],
  [
    'source',
    'has',
    'has',
    { lease: 'another', ready: { checked: true, copied: false } },
    'wait',
    'nothing is copied over what somebody removes under his lease',
  ],
  ['source', 'has', 'lacks', { lease: 'another', ready: { checked: false, copied: false } }, 'wait', 'nor looked at'],
  ['source', 'has', 'has', { lease: 'ours', heard: false }, 'hold', 'somebody may still deliver to the source'],
  ['source', 'has', 'has', held, 'manifest', 'what is to arrive is written down first'],
  ['source', 'has', 'has', { ...held, manifest: 'older' }, 'manifest', 'mail may have come since the older one'],
  ['source', 'has', 'has', { ...held, manifest: 'held' }, 'cut', 'all is ready'],
  [
    'handed',
    'has',
    'has',
    { ...held, manifest: 'older', move: cutOnce },
    'manifest',
    'the source is whole: written down',
  ],
  ['handed', 'has', 'has', { ...held, manifest: 'held', move: cutOnce }, 'cut', 'the broken cut is finished'],
  ['handed', 'lacks', 'has', { ...held, manifest: 'older' }, 'verify', 'compared before the directory is told'],
  ['handed', 'lacks', 'has', { ...held, manifest: 'older', ...equal }, `push at mail2: ${name}`, 'whole: it is told'],
  [
    'handed',
    'lacks',
    'has',
    { ...held, manifest: 'older', ...lacking },
    `push at mail2: ${name}`,
    'the only copy is served',
  ],
  ['handed', 'lacks', 'has', held, `push at mail2: ${name}`, 'nothing to compare with, and nothing else to serve'],
  ['destination', 'lacks', 'has', { ...held, manifest: 'held', move: cutOnce }, 'verify', 'compared'],
  [
    'destination',
    'lacks',
    'has',
    { ...held, manifest: 'held', ...equal, move: cutOnce },
    'release',
    'whole: mail goes on',
  ],
  ['destination', 'lacks', 'has', { manifest: 'older', ...equal, move: cutOnce }, 'observe', 'looked at once more'],
  [
    'destination',
    'lacks',
    'has',
    { manifest: 'older', ...equal, move: cutOnce, observed: true },
    'done',
    'watched long enough',
  ],
  [
    'destination',
    'lacks',
    'has',
    { manifest: 'older', ...lacking, move: cutOnce },
    'stop',
    'something is missing: a person is called',
  ],
  [
    'destination',
    'lacks',
    'has',
    { ...held, manifest: 'held', ...lacking, move: cutOnce },
    'release',
    'mail goes on all the same',
  ],
  ['destination', 'lacks', 'has', { manifest: 'older' }, 'verify', 'tried again after it was stopped: compared first'],
];

/** What is in the way. */
const hindered: Row[] = [
  ['source', 'silent', 'lacks', {}, 'wait', 'who does not answer may have it'],
  ['source', 'silent', 'has', held, 'release', 'and mail does not wait for him'],
  ['source', 'has', 'silent', {}, 'wait', 'nobody to move it to now'],
  ['source', 'lacks', 'silent', {}, 'wait', 'the destination may have it'],
  ['source', 'silent', 'silent', {}, 'wait', 'nothing is known'],
  ['source', 'moving', 'has', {}, 'wait for a person', 'only a restart of the source unmarks it'],
  ['source', 'moving', 'lacks', {}, 'wait for a person', 'the same'],
  ['source', 'moving', 'silent', {}, 'wait for a person', 'the same'],
  ['source', 'has', 'moving', {}, 'wait for a person', 'a cut onto what is moved on would harm that'],
  ['source', 'lacks', 'moving', {}, 'stop', 'the only copy is marked at the wrong place'],
  ['handed', 'has', 'silent', held, `push at mail1: ${name}`, 'mail is not put off for who is away: back'],
  ['handed', 'has', 'moving', held, `push at mail1: ${name}`, 'the same'],
  ['handed', 'silent', 'has', {}, 'wait', 'the source may take it back, or have more of it'],
  ['handed', 'silent', 'lacks', {}, 'wait', 'the source has it, or nobody'],
  ['handed', 'silent', 'silent', {}, 'wait', 'nothing is known'],
  ['handed', 'lacks', 'silent', {}, 'wait', 'the only copy is at who does not answer'],
  ['handed', 'lacks', 'moving', {}, 'stop', 'the only copy is marked at the wrong place'],
  ['handed', 'moving', 'lacks', {}, 'wait for a person', 'the source died before it had copied'],
  ['handed', 'moving', 'silent', {}, 'wait', 'whether the copy is whole is to be seen first'],
  ['handed', 'moving', 'has', {}, 'wait for a person', 'nothing to compare the copy with'],
  ['handed', 'moving', 'has', { ...held, manifest: 'older' }, 'verify with source', 'maybe it can be finished forward'],
  [
    ...(['handed', 'moving', 'has'] as const),
    { ...held, manifest: 'older', compared: { manifest: [], source: [] } },
    `push at mail2: ${name}`,
    'proven equal to the manifest and to what the source shows: finished forward',
  ],
  [
    ...(['handed', 'moving', 'has'] as const),
    { manifest: 'older', compared: { manifest: [], source: ['UID 9'] } },
    'wait for a person',
    'the source has more',
  ],
  [
    'handed',
    'has',
    'has',
    { rows: { handed: [], running: 'mail1-7' } },
    'wait',
    'a cut still runs: no second mover acts',
  ],
  ['handed', 'lacks', 'has', { rows: { running: 'mail1-7' } }, 'wait', 'it is about to tell the directory itself'],
  ['source', 'has', 'has', { rows: { running: 'mail1-7' } }, 'wait', 'its folders are being handed over'],
  ['destination', 'silent', 'silent', { move: cutOnce }, 'wait', 'whether it is there is not known'],
  ['destination', 'silent', 'has', {}, 'done', 'whether the source has a copy left is for the audit'],
  ['destination', 'lacks', 'silent', { move: cutOnce }, 'wait', 'the only copy is at who does not answer'],
  ['destination', 'lacks', 'moving', {}, 'wait', 'it is moved on'],
  ['source', 'has', 'has', { twin: true }, 'stop', 'another mailbox of that name must not be written over'],
  ['handed', 'has', 'has', { twin: true, ...held }, `push at mail1: ${name}`, 'back first: the source is served'],
  ['handed', 'lacks', 'has', { twin: true }, 'stop', 'that is not the copy'],
  ['destination', 'has', 'has', { twin: true }, 'stop', 'two mailboxes, and nobody knows which one is meant'],
];

/** Rows that are neither here nor there. */
const others: Row[] = [
  ['absent', 'lacks', 'lacks', {}, 'refuse', 'there is no such mailbox'],
  ['absent', 'silent', 'silent', {}, 'refuse', 'the directory proves its absence'],
  ['absent', 'lacks', 'lacks', { doubt: 'not trusted' }, 'wait', 'its absence is not proven'],
  ['absent', 'has', 'lacks', {}, 'stop', 'a copy that the directory does not know of'],
  ['absent', 'lacks', 'has', { move: cutOnce }, 'stop', 'the same'],
  ['absent', 'has', 'has', { move: cutOnce }, 'stop', 'the same, twice'],
  ['absent', 'moving', 'lacks', {}, 'stop', 'the same'],
  ['absent', 'lacks', 'lacks', { move: cutOnce }, 'stop', 'it was there'],
  ['absent', 'silent', 'lacks', { move: cutOnce }, 'wait', 'the source may have it'],
  ['absent', 'lacks', 'silent', { move: cutOnce }, 'wait', 'the destination may have it'],
  ['absent', 'lacks', 'lacks', { move: cutOnce, ...equal }, 'done', 'moved, and deleted since'],
  ['tombstone', 'has', 'lacks', {}, 'wait', 'a RENAME may put it back'],
  ['created', 'has', 'lacks', {}, 'wait', 'somebody is making it'],
  ['created', 'has', 'lacks', { move: cutOnce }, 'stop', 'nobody makes what is being moved'],
  ['contested', 'has', 'has', {}, 'wait', 'reconciliation comes first'],
  ['contested', 'has', 'has', { move: cutOnce }, 'stop', 'reconciliation waits for the move'],
  ['elsewhere', 'lacks', 'lacks', {}, 'refuse', 'it is at a third server: that is another move'],
  ['elsewhere', 'lacks', 'has', { move: cutOnce }, 'stop', 'nothing of ours leads there'],
];

const folders = ['user.ann.Sent', 'user.ann.Work'];

/** The root there, folders not yet; and the other way round. */
const mixed: Row[] = [
  [
    'destination',
    'lacks',
    'has',
    { ...held, rows: { handed: folders } },
    `push at mail2: ${folders.join(' ')}`,
    'the rest of the repair',
  ],
  ['destination', 'lacks', 'has', { rows: { handed: folders } }, 'hold', 'under the lease'],
  [
    'destination',
    'lacks',
    'has',
    { ...held, rows: { atSource: folders }, lacked: folders },
    `push at mail2: ${folders.join(' ')}`,
    'the source has nothing of it any more',
  ],
  [
    'destination',
    'has',
    'has',
    { rows: { atSource: folders } },
    'stop',
    'the source has them, and never handed them over',
  ],
  ['destination', 'silent', 'has', { rows: { atSource: folders } }, 'wait', 'the source may have them'],
  [
    'destination',
    'lacks',
    'has',
    { rows: { strange: ['user.ann.x is active at mail3'] } },
    'stop',
    'a folder at a third server',
  ],
  [
    'source',
    'has',
    'lacks',
    { rows: { handed: folders } },
    'hold',
    'children are handed first: the cut broke off, once more',
  ],
  [
    'source',
    'has',
    'silent',
    { ...held, rows: { handed: folders } },
    `push at mail1: ${folders.join(' ')}`,
    'back, for nobody takes it',
  ],
  [
    'source',
    'has',
    'lacks',
    { ...held, rows: { handed: folders }, move: moveOf({ cancelled: true }) },
    `push at mail1: ${folders.join(' ')}`,
    'undone',
  ],
  ['source', 'has', 'has', { rows: { atDestination: folders } }, 'refuse', 'part of it is there: not ours to merge'],
  ['source', 'has', 'has', { rows: { atDestination: folders }, move: cutOnce }, 'stop', 'no cut leaves it so'],
  [
    'source',
    'has',
    'has',
    { rows: { strange: ['user.ann.x is active at mail3'] } },
    'refuse',
    'a folder at a third server',
  ],
];

/** A cut that died while it deleted at the source: what only the destination has must not be copied or cut over. */
const parted: Row[] = [
  [
    'source',
    'has',
    'has',
    { lacked: folders, rows: { handed: folders } },
    'hold',
    'served where it is, under the lease',
  ],
  [
    ...(['source', 'has', 'has'] as const),
    { ...held, lacked: folders, rows: { handed: folders } },
    `push at mail2: ${folders.join(' ')}`,
    'nothing to compare with: what only the destination has is served there',
  ],
  [
    ...(['source', 'has', 'has'] as const),
    { ...held, manifest: 'older', lacked: folders, rows: { handed: folders } },
    'verify with source',
    'maybe it can be finished forward',
  ],
  [
    ...(['source', 'has', 'has'] as const),
    { ...held, manifest: 'older', ...bothEqual, lacked: folders, rows: { handed: folders } },
    `push at mail2: ${[name, ...folders].join(' ')}`,
    'the destination has all of it: finished forward',
  ],
  [
    ...(['handed', 'has', 'has'] as const),
    { ...held, manifest: 'older', compared: { manifest: [], source: ['UID 9'] }, lacked: folders },
    `push at mail2: ${folders.join(' ')}`,
    'the source has got more: each part where it is whole',
  ],
  ['source', 'has', 'silent', { lacked: folders, move: cutOnce }, 'wait', 'the only copy of them is there'],
  ['source', 'has', 'lacks', { lacked: folders, move: cutOnce }, 'stop', 'nobody has them'],
  ['source', 'has', 'has', { lacked: folders, twin: true, move: cutOnce }, 'stop', 'nor has another mailbox'],
  ['source', 'has', 'has', { rows: { atDestination: folders }, move: cutOnce }, 'stop', 'a person joins them'],
  [
    ...(['source', 'has', 'has'] as const),
    { ...held, ...{ ready: { checked: false, copied: false } }, lacked: folders, rows: { handed: folders } },
    `push at mail2: ${folders.join(' ')}`,
    'a copy ahead would delete them',
  ],
];

const cancelled = moveOf({ cancelled: true });
const worn = moveOf({ attempts: 3, note: 'NO System I/O error' });

const ended: Row[] = [
  ['source', 'has', 'lacks', { move: cancelled }, 'back', 'cancelled before anything was cut'],
  ['source', 'has', 'has', { move: cancelled, ...held }, 'release', 'mail goes on first'],
  ['source', 'silent', 'lacks', { move: cancelled }, 'back', 'nothing was cut, whatever the source says'],
  ['source', 'silent', 'lacks', { move: moveOf({ cancelled: true, attempts: 1 }) }, 'wait', 'a cut may go on there'],
  [
    'handed',
    'has',
    'has',
    { move: moveOf({ cancelled: true, attempts: 1 }), ...held },
    `push at mail1: ${name}`,
    'the source is whole',
  ],
  [
    'handed',
    'lacks',
    'has',
    { move: moveOf({ cancelled: true, attempts: 1 }), ...held },
    `push at mail2: ${name}`,
    'cut: on to the end',
  ],
  [
    'destination',
    'lacks',
    'has',
    { move: moveOf({ cancelled: true, attempts: 1 }), observed: true },
    'done',
    'cut: on to the end',
  ],
  ['source', 'has', 'has', { move: worn }, 'stop', 'tried often enough'],
  ['source', 'has', 'has', { move: worn, ...held }, 'release', 'mail goes on first'],
  [
    'handed',
    'has',
    'has',
    { move: worn, ...held, manifest: 'held' },
    `push at mail1: ${name}`,
    'tried often enough: back',
  ],
];

const silentPair = { ours: { source: true, destination: true } };

/** Backends that speak no MUPDATE: we write their rows, at the cut, under the lease. */
const written: Row[] = [
  ['source', 'has', 'lacks', { ...silentPair, ...held, manifest: 'held' }, 'cut', 'nothing is there yet'],
  ['source', 'has', 'has', { ...silentPair, ...held, manifest: 'held' }, 'verify', 'the copy may be whole'],
  ['source', 'has', 'has', { ...silentPair, ...held, manifest: 'held', ...lacking }, 'cut', 'it is not'],
  [
    'source',
    'has',
    'has',
    { ...silentPair, ...held, manifest: 'held', ...equal, rows: { atSource: folders } },
    `write: ${[name, ...folders].join(' ')}`,
    'it is: the directory is told by us',
  ],
  [
    'source',
    'has',
    'has',
    { ...silentPair, ...held, manifest: 'older', ...equal },
    'manifest',
    'mail may have come since',
  ],
  [
    'source',
    'has',
    'has',
    { ...silentPair, lease: 'ours', manifest: 'held', ...equal },
    'hold',
    'not before everybody has heard',
  ],
  [
    'source',
    'lacks',
    'has',
    { ...silentPair, ...held, manifest: 'older' },
    'verify',
    'a cut that deletes at the source',
  ],
  ['source', 'lacks', 'has', { ...silentPair, ...held, manifest: 'older', ...equal }, `write: ${name}`, 'whole'],
  ['source', 'lacks', 'has', { ...silentPair, manifest: 'older', ...lacking }, 'stop', 'not whole'],
  [
    'source',
    'lacks',
    'has',
    { ours: { source: true, destination: false }, ...held, manifest: 'older', ...equal },
    `push at mail2: ${name}`,
    'the destination can tell itself',
  ],
  [
    'handed',
    'lacks',
    'has',
    { ours: { source: false, destination: true }, ...held },
    `write: ${name}`,
    'the destination cannot',
  ],
  [
    'destination',
    'has',
    'has',
    { ...silentPair, ...held, manifest: 'held', ...equal, rows: { atSource: folders } },
    'verify with source',
    'a worker died while he wrote: mail may have come to the rest',
  ],
  [
    ...(['destination', 'has', 'has'] as const),
    { ...silentPair, ...held, manifest: 'held', ...bothEqual, rows: { atSource: folders } },
    `write: ${folders.join(' ')}`,
    'none has',
  ],
  [
    ...(['destination', 'has', 'has'] as const),
    { ...silentPair, manifest: 'held', compared: { manifest: [], source: ['UID 9'] }, rows: { atSource: folders } },
    'stop',
    'some has',
  ],
];

const onBig = { to: { server: 'mail2', partition: 'big' } };
const misplaced = { compared: { manifest: [], misplaced: [name] } } as const;
const spared = { compared: { manifest: ['user.ann lacks UID 7'], spare: [] } } as const;

/** At the destination, and not as it is to be there. */
const there: Row[] = [
  [
    ...(['destination', 'lacks', 'has'] as const),
    { ...held, manifest: 'held', ...misplaced, rows: { misplaced: [name] }, move: moveOf({ ...onBig, attempts: 1 }) },
    'lay',
    'the cut broke off before its last part',
  ],
  [
    ...(['destination', 'has', 'has'] as const),
    { ...held, manifest: 'held', ...misplaced, move: moveOf({ ...onBig, attempts: 1 }) },
    'lay',
    'whatever the source has is not cut once more over what has come since',
  ],
  [
    ...(['destination', 'lacks', 'has'] as const),
    { manifest: 'older', ...misplaced, move: moveOf({ ...onBig, attempts: 1 }) },
    'hold',
    'under the lease',
  ],
  [
    ...(['destination', 'lacks', 'has'] as const),
    { manifest: 'older', ...misplaced, move: moveOf({ ...onBig, attempts: 3 }) },
    'stop',
    'tried often enough',
  ],
  [
    ...(['destination', 'lacks', 'has'] as const),
    { ...held, manifest: 'older', ...misplaced, move: moveOf(onBig) },
    'lay',
    'tried again after it was stopped so',
  ],
  [
    ...(['destination', 'lacks', 'has'] as const),
    { rows: { misplaced: [name] }, move: moveOf(onBig) },
    'refuse',
    'it was there, on another partition, before anything was begun: that is another move',
  ],
  [
    ...(['destination', 'lacks', 'has'] as const),
    { ...held, rows: { misplaced: [name] }, move: moveOf({ ...onBig, attempts: 1 }) },
    'lay',
    'its manifest is lost: by what the directory says',
  ],
  [
    ...(['destination', 'lacks', 'has'] as const),
    {
      ...{ ...held, manifest: 'held', compared: { manifest: [], misplaced: [] }, rows: { misplaced: [name] } },
      move: moveOf({ ...onBig, attempts: 2 }),
    },
    `push at mail2: ${name}`,
    'it lies there, and the directory has not heard of it',
  ],
  [
    ...(['destination', 'lacks', 'has'] as const),
    {
      ...{ ...silentPair, ...held, manifest: 'held', compared: { manifest: [], misplaced: [] } },
      ...{ rows: { misplaced: [name] }, move: moveOf({ ...onBig, attempts: 2 }) },
    },
    `write: ${name}`,
    'nor will it, but by us',
  ],
  [
    ...(['source', 'has', 'has'] as const),
    { ...silentPair, ...held, manifest: 'held', ...misplaced, move: moveOf(onBig) },
    'cut',
    'a copy on the wrong partition is not given the name yet',
  ],
  ['destination', 'has', 'has', { manifest: 'older', ...lacking, move: cutOnce }, 'stop', 'a person looks first'],
  [
    'destination',
    'has',
    'has',
    { manifest: 'older', ...lacking },
    'verify with source',
    'tried again: what has the other?',
  ],
  ['destination', 'has', 'has', { manifest: 'older', ...spared }, 'done', 'taken as it is: the old copy has all of it'],
  [
    ...(['destination', 'has', 'has'] as const),
    { manifest: 'older', compared: { ...spared.compared, spare: ['user.ann lacks UID 9'] } },
    'stop',
    'neither copy has all of it',
  ],
  ['destination', 'lacks', 'has', { manifest: 'older', ...lacking }, 'stop', 'the only copy differs, however often'],
  ['destination', 'silent', 'has', { manifest: 'older', ...lacking }, 'stop', 'nothing vouches for an old copy'],
];

/** Another partition of the same server: nothing is handed over, and both servers are one. */
const partitions: Row[] = [
  ['source', 'has', 'has', { move: within, ...held }, 'manifest', 'compared afterwards as any other'],
  ['source', 'has', 'has', { move: within, ...held, manifest: 'held' }, 'cut', 'a RENAME to the partition'],
  [
    'source',
    'has',
    'has',
    { move: within, ...held, manifest: 'held', rows: { atDestination: folders } },
    'cut',
    'some folders are there already',
  ],
  ['source', 'lacks', 'lacks', { move: within }, 'stop', 'nobody has it'],
  ['destination', 'has', 'has', { move: within }, 'done', 'it is there already, and there is nothing left over'],
  [
    'destination',
    'has',
    'has',
    { move: within, rows: { atSource: folders }, ...held, manifest: 'held', ...equal },
    'cut',
    'its folders are not',
  ],
  ['handed', 'has', 'has', { move: within, ...held }, `push at mail1: ${name}`, 'no cut of ours'],
];

const all = { table, course, hindered, others, mixed, parted, ended, written, there, partitions };
for (const [part, rows] of Object.entries(all)) {
  test(`the next step: ${part}`, () => {
    for (const [root, source, destination, cell, step, why] of rows) {
      const found = stepIn(root, source, destination, cell);
      assert.equal(shown(found), step, `${root}, source ${source}, destination ${destination}: ${why}`);
    }
  });
}

test('every cell has a step, and none that waits, refuses or ends keeps mail waiting', () => {
  const roots = [
    'source',
    'handed',
    'destination',
    'elsewhere',
    'absent',
    'tombstone',
    'created',
    'contested',
  ] as const;
  const saids = ['has', 'lacks', 'moving', 'silent'] as const;
  for (const root of roots)
    for (const source of saids)
      for (const destination of saids)
        for (const move of [moveOf(), cutOnce, cancelled, worn, within])
          for (const manifest of ['none', 'older', 'held'] as const) {
            const story = `${root} ${source} ${destination} ${JSON.stringify(move)} ${manifest}`;
            const free = stepIn(root, source, destination, { move, manifest });
            const kept = stepIn(root, source, destination, { move, manifest, ...held });
            if (['wait', 'finish', 'refuse', 'stop', 'observe'].includes(free.do))
              assert.equal(kept.do, 'release', story);
            // Nothing that changes servers or directory is done without the lease.
            assert.ok(!['cut', 'push', 'write', 'manifest'].includes(free.do), story);
          }
});

test('a server is not told to push what it does not have', () => {
  const some = ['user.ann.S', 'user.ann.W'];
  const cell = { ...held, manifest: 'older', rows: { handed: some }, move: cutOnce } as const;
  const lacking = (lacks: string[]) => ({ ...cell, compared: { manifest: [], lacks } });
  assert.equal(shown(stepIn('destination', 'lacks', 'has', lacking(['user.ann.W']))), 'push at mail2: user.ann.S');
  // Nobody waits for a lease to be told that nobody has it.
  const nothing = stepIn('destination', 'lacks', 'has', { ...lacking(some), lease: 'none' });
  assert.match(
    nothing.do === 'stop' ? nothing.why : nothing.do,
    /^its destination does not have user\.ann\.S, user\.ann\.W\./,
  );
});

test('people are told what is known, what is left over, and what they have to do', () => {
  const stopped = stepIn('destination', 'has', 'lacks', { rows: { text: 'active at mail2!default' } });
  assert.deepEqual(stopped, {
    do: 'stop',
    why: 'its destination does not have it. Directory: active at mail2!default; mail1 has it, mail2 does not have it',
  });
  const note = (step: Step) => (step.do === 'finish' ? step.note : 'why' in step ? step.why : '');
  assert.equal(note(stepIn('destination', 'lacks', 'has')), 'it is there already');
  assert.equal(
    note(stepIn('destination', 'has', 'has')),
    'it is there already; mail1 still has a copy, which is left there',
  );
  assert.match(note(stepIn('destination', 'silent', 'has')), /whether it has a copy is not known/);
  assert.match(note(stepIn('handed', 'moving', 'lacks')), /restart Cyrus on mail1/);
  const done = { move: cutOnce, observed: true };
  assert.equal(
    note(stepIn('destination', 'lacks', 'has', { ...done, manifest: 'older', ...equal })),
    'moved; compared, and whole',
  );
  const otherwise = moveOf({ attempts: 1, remarks: ['a', 'b', 'c', 'd'] });
  assert.equal(
    note(stepIn('destination', 'lacks', 'has', { ...done, manifest: 'older', ...equal, move: otherwise })),
    'moved; compared, and whole; otherwise than before, which is no loss: a; b; c, and 1 more',
  );
  assert.match(note(stepIn('destination', 'lacks', 'has', done)), /not compared, for its manifest is lost/);
  assert.match(note(stepIn('source', 'has', 'has', { move: worn })), /tried 3 times: NO System I\/O error/);
  const differing = { manifest: 'older', compared: { manifest: ['a', 'b', 'c', 'd', 'e'] }, move: cutOnce } as const;
  assert.match(
    note(stepIn('destination', 'lacks', 'has', differing)),
    /its copy is not whole: a; b; c, and 2 more\. Bring back at mail2 what is missing/,
  );
});

const row = (of: string, state: Entry['state'], location: string, more: Partial<Entry> = {}): Entry => ({
  ...{ name: of, state, location, acl: '', version: 1 },
  ...more,
});

test('where a tree stands is told from its rows', () => {
  const route = moveOf();
  const at = (...rows: Entry[]) => standingOf(route, rows);
  assert.equal(at().root, 'absent');
  assert.equal(at(row(name, 'tombstone', 'mail1!default', { ended: 5 })).root, 'absent');
  assert.equal(at(row(name, 'tombstone', 'mail1!default')).root, 'tombstone');
  assert.equal(at(row(name, 'active', 'mail3!default')).root, 'elsewhere');
  assert.equal(at(row(name, 'handed', 'mail2!default', { ended: 5 })).root, 'elsewhere');
  const running = at(row(name, 'active', 'mail1!default'), row('user.ann.a', 'handed', 'mail1!d', { session: 's' }));
  assert.deepEqual([running.root, running.running, running.handed], ['source', 's', []]);
  const mixedRows = at(
    ...[row(name, 'active', 'mail2!default'), row('user.ann.a', 'handed', 'mail1!d', { ended: 5, session: 's' })],
    ...[row('user.ann.b', 'active', 'mail1!d'), row('user.ann.c', 'active', 'mail2!other')],
    ...[row('user.ann.d', 'active', 'mail3!d'), row('user.anna', 'active', 'mail3!d')],
    row('DELETED.user.ann.x.5F', 'active', 'mail3!d'),
  );
  assert.deepEqual(mixedRows, {
    ...{ root: 'destination', text: 'active at mail2!default', handed: ['user.ann.a'] },
    ...{
      atSource: ['user.ann.b'],
      atDestination: ['user.ann.c'],
      misplaced: [],
      strange: ['user.ann.d is active at mail3!d'],
    },
  });
  const named = moveOf({ to: { server: 'mail2', partition: 'big' } });
  const astray = standingOf(named, [row(name, 'active', 'mail2!small'), row('user.ann.a', 'active', 'mail2!big')]);
  assert.deepEqual([astray.root, astray.misplaced], ['destination', [name]]);
  const unknown = standingOf(named, [row(name, 'active', 'mail2!')]);
  assert.deepEqual([unknown.root, unknown.misplaced], ['destination', []], 'whoever tells no partition');
  assert.equal(standingOf(within, [row(name, 'active', 'mail1!default')]).root, 'source');
  assert.equal(standingOf(within, [row(name, 'active', 'mail1!big')]).root, 'destination');
  const shared = { ...route, name: 'news' };
  const news = [row('news', 'active', 'mail1!d'), row('news.local', 'active', 'mail3!d')];
  assert.deepEqual(standingOf(shared, news).strange, [], 'a shared mailbox is moved alone');
});

test('a case is left to the move that has cut, and to no other', () => {
  const none = { rivals: [] };
  const here = row(name, 'active', 'mail1!default');
  assert.equal(rootOf('user.ann.Sent'), name);
  assert.equal(rootOf('DELETED.user.ann.Sent.5F'), name);
  assert.equal(rootOf('news.local'), 'news.local');
  assert.equal(settles(cutOnce, here, none), true);
  assert.equal(settles(cutOnce, row(name, 'handed', 'mail1!default'), none), true);
  assert.equal(settles(moveOf(), here, none), false, 'nothing is cut');
  assert.equal(settles(moveOf({ attempts: 1, state: 'done' }), here, none), false, 'it is over');
  assert.equal(settles(cutOnce, undefined, none), false, 'the move stops there');
  assert.equal(settles(cutOnce, row(name, 'contested', 'mail1!default'), none), false, 'the move stops there');
  assert.equal(settles(cutOnce, row('user.ann.x', 'active', 'mail3!default'), none), false, 'it does not touch it');
  const rival = { server: 'mail2', kind: 'duplicate', location: 'mail2!d', acl: '' } as const;
  assert.equal(settles(cutOnce, row('user.ann.x', 'active', 'mail3!default'), { rivals: [rival] }), true);
});
