// A backend in the lines of a table, and by itself.
import type { BackendValue } from '../operations/backend-value.ts';

export const columns = ['name', 'state', 'fenced', 'trees', 'mailboxes', 'free KiB', 'answered', 'health'];

export function backendRow(backend: BackendValue): string[] {
  const { name, state, share, fenced, trees, mailboxes, available_kib: free, answered, health } = backend;
  const staged = share === undefined ? state : `${state} ${share}%`;
  const counts = [trees, mailboxes, free ?? '?'].map(String);
  return [name, staged, fenced ? 'yes' : 'no', ...counts, answered ?? 'never', health];
}

export function backendPairs(backend: BackendValue): [string, string][] {
  const { fence, said, configured, emptying, total_kib: total } = backend;
  const [name = '', state = '', fenced = '', trees = '', mailboxes = '', free = '', answered = '', health = ''] =
    backendRow(backend);
  return [
    ...([
      ['name', name],
      ['state', state],
      ['fenced', fenced],
    ] as [string, string][]),
    ...(fence ? [['fence', fenceText(fence)] as [string, string]] : []),
    ...(configured.length > 0 ? [['configuration', configured.join(', ')] as [string, string]] : []),
    ...(said ? [['said', `by ${said.by} at ${said.at}`] as [string, string]] : []),
    ...([
      ...(emptying ? emptyingPairs(emptying) : []),
      ['trees', trees],
      ['mailboxes', mailboxes],
      ['free KiB', total === undefined ? free : `${free} of ${total}`],
      ['answered', answered],
      ['health', health],
    ] as [string, string][]),
  ];
}

/** How many of those that are left are shown. */
const mostLeft = 5;

function emptyingPairs({ state, note, rounds, left, left_trees: count }: NonNullable<BackendValue['emptying']>) {
  const shown = left.slice(0, mostLeft).map(({ name, why }): [string, string] => ['left', `${name}: ${why}`]);
  const more: [string, string][] = count > shown.length ? [['left', `and ${count - shown.length} more`]] : [];
  const runs: [string, string] = ['emptying', `${state}, after ${rounds === 1 ? '1 run' : `${rounds} runs`}: ${note}`];
  return [runs, ...shown, ...more];
}

function fenceText({ until, reason, by, since }: NonNullable<BackendValue['fence']>): string {
  return `${reason} (${by}, since ${since}${until === undefined ? '' : `, until ${until}`})`;
}
