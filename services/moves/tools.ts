// What one kind of mail server needs to be moved: its driver, and how its manifests are written and compared.
import type { ImapAdmins } from '../backends/imap-admins.ts';
import type { Registry } from '../backends/registry.ts';
import type { Copies } from '../directory/copies.ts';
import type { MoveDriver } from './driver.ts';
import type { Manifest } from './manifest.ts';
import type { Move } from './move.ts';
import type { CopyAbove } from './worth-copying.ts';
import type { Difference, Remark } from './manifest-comparison.ts';
import type { ManifestCodec } from './manifest-store.ts';

export interface MoveTools {
  codec: ManifestCodec;
  /** What `found` lacks of a manifest that was taken before, or has otherwise than it may have become since. */
  differences: (manifest: Manifest, found: Manifest) => readonly Difference[];
  /** What is set otherwise there, which is no loss. */
  remarks: (manifest: Manifest, found: Manifest) => readonly Remark[];
  /** Both: nothing is removed of which anything is otherwise than in the copy that stays, be it a setting. */
  strictDifferences: (manifest: Manifest, found: Manifest) => readonly Difference[];
  driver: (around: Around) => MoveDriver;
}

export interface Around {
  registry: Registry;
  admins: ImapAdmins;
  copies: Copies;
  /** For what may take long, in milliseconds. */
  timeout: number;
  /** What is copied ahead of its cut; left out: all. */
  copyAbove?: CopyAbove;
  /** All open moves; left out: there are none. */
  open?: () => Promise<readonly Move[]>;
}
