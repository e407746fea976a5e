// With what trees are moved between the backends of this installation.
import { CyrusXfer } from '../moves/cyrus-xfer.ts';
import { decodeManifest, encodeManifest } from '../moves/manifest-codec.ts';
import { differences } from '../moves/manifest-comparison.ts';
import type { MoveTools } from '../moves/tools.ts';

export const moveTools: MoveTools = {
  codec: { written: encodeManifest, read: decodeManifest },
  differences,
  driver: (around) => new CyrusXfer(around),
};
