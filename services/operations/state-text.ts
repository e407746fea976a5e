// What a row's state means to whoever looks for the mailbox.
import type { State } from '../directory/entry.ts';

const stateWords: Record<State, string> = {
  active: 'active',
  created: 'reserved (being created)',
  handed: 'reserved (handed over)',
  contested: 'contested (several servers say they hold it)',
  tombstone: 'deleted a moment ago',
};

export function stateText({ state }: { state: State }): string {
  return stateWords[state];
}
