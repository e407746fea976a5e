// Every conversation of test/dialogs/mupdate, each with a server of its own.
import assert from 'node:assert/strict';
import { basename, join } from 'node:path';
import { test } from 'node:test';
import type { MupdateSettings } from '../../services/mupdate/settings.ts';
import { dialogFiles, runDialog } from '../harness/dialog.ts';
import { ScratchMupdate } from '../harness/mupdate.ts';

const folder = join(import.meta.dirname, '../dialogs/mupdate');

/** Silence is kept short where it is what is tried. */
const settings: Record<string, Partial<MupdateSettings>> = {
  'half-command.dialog': { login_timeout: 300, idle_timeout: 400 },
};

const files = dialogFiles(folder);

test('there are conversations to play', () => {
  assert.ok(files.length > 10);
});

for (const file of files) {
  test(basename(file), async (t) => {
    const mupdate = await ScratchMupdate.start(t, settings[basename(file)]);
    // As a directory is that works: an absent name is a plain OK there.
    await mupdate.directory.vouch('operator');
    await runDialog(file, () => mupdate.connect());
  });
}
