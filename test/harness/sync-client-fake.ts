// A sync_client for tests: it writes down how it was called and what it was to replay, and then does as a script says.
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ReplicaAccess } from '../../services/replication/sync-client.ts';

/** Words by which a run is told from the others. */
export type Mode = 'user' | 'replay' | 'reaches';

export interface FakeSyncClient {
  access: ReplicaAccess;
  /** What each kind of run does from now on, in sh; what is not given ends well. */
  does(scripts: Partial<Record<Mode, string>>): Promise<void>;
  /** The words of each run so far; of a replay the file's text in place of its name. */
  calls(): Promise<string[][]>;
  remove(): Promise<void>;
}

export async function fakeSyncClient(access: Partial<ReplicaAccess> = {}): Promise<FakeSyncClient> {
  const root = await mkdtemp(join(tmpdir(), 'sync-client-'));
  const at = (name: string) => join(root, name);
  await mkdir(at('folder'));
  await writeFile(
    at('sync_client'),
    `#!/bin/sh
mode=user
[ "$5" != -f ] && [ "$6" != -f ] || mode=replay
case "$*" in *-u) mode=reaches ;; esac
line=
for word; do
  if [ "$mode" = replay ] && [ -f "$word" ] && [ "$word" != "$2" ]; then word=$(cat "$word"); fi
  line="$line$(printf %s "$word" | base64 -w0) "
done
echo "$line" >>"${at('calls')}"
if [ -f "${at('does-')}$mode" ]; then . "${at('does-')}$mode"; fi
exit 0
`,
  );
  await chmod(at('sync_client'), 0o755);
  const modes = ['user', 'replay', 'reaches'] as const;
  return {
    access: {
      ...{ command: [at('sync_client')], config: at('imapd.conf'), options: [], folder: at('folder') },
      ...{ timeout: 20_000, connectTimeout: 20_000, ...access },
    },
    async does(scripts) {
      for (const mode of modes) await writeFile(at(`does-${mode}`), scripts[mode] ?? '');
    },
    async calls() {
      const text = await readFile(at('calls'), 'utf8').catch(() => '');
      const lines = text.split('\n').filter((line) => line !== '');
      return lines.map((line) =>
        line
          .trimEnd()
          .split(' ')
          .map((word) => Buffer.from(word, 'base64').toString()),
      );
    },
    remove: () => rm(root, { recursive: true, force: true }),
  };
}
