// Making a shard of the directory, or finding it made as it is asked for.
import type { Redis } from 'ioredis';
import { treeRule } from '../tree.ts';
import { keyNames, shardPrefix } from './keys.ts';
import { makeScript, pairsIn, stringsIn } from './script.ts';

/** Throws when it was made in another way than is asked for. */
export async function makeShard(options: { commands: Redis; shards: number }, shard: number): Promise<void> {
  const prefix = shardPrefix(shard);
  const args = [prefix, String(options.shards), String(treeRule)];
  const meta = pairsIn(stringsIn(await makeScript.run(options.commands, prefix + keyNames.meta, args)));
  const made = Number(meta.get('shards'));
  if (made !== options.shards) {
    throw new Error(`the directory was made with ${made} shards, but the configuration asks for ${options.shards}`);
  }
  if (meta.get('tree_rule') !== String(treeRule)) {
    throw new Error(`the directory was made under tree rule ${meta.get('tree_rule')}, this program knows ${treeRule}`);
  }
}
