// With what trees are moved between the backends of this installation.
import type { MoveTools } from '../moves/tools.ts';

class NoDriver extends Error {
  override readonly name = 'NoDriver';
  readonly kind = 'refused';
}

const refused = () => Promise.reject(new NoDriver('nothing in this version can move mailboxes of these backends'));

export const moveTools: MoveTools = {
  codec: { written: refused, read: refused },
  differences: () => ['nothing in this version can compare it'],
  driver: () => ({
    ...{ name: 'none', holds: refused, check: refused, manifest: refused, copy: refused, cut: refused },
    ...{ push: refused, discard: refused },
  }),
};
