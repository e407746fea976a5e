// With what trees are moved between the backends of this installation.
import { CyrusXfer } from '../moves/cyrus-xfer.ts';
import { decodeManifest, encodeManifest } from '../moves/manifest-codec.ts';
import { differences, remarks, strictDifferences } from '../moves/manifest-comparison.ts';
import type { MoveTools } from '../moves/tools.ts';

export const moveTools: MoveTools = {
  codec: { written: encodeManifest, read: decodeManifest },
  differences,
  remarks,
  strictDifferences,
  driver: (around) => new CyrusXfer(around),
};
