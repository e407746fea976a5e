// The directory's standing, from the meta of its shards.
import type { Standing } from '../directory.ts';
import type { Bytes } from '../entry.ts';

/** `meta` is a shard's meta and head together, as scripts/lookup.lua gives them. */
export function standingFrom(meta: ReadonlyMap<Bytes, Bytes>): Standing {
  const epoch = meta.get('epoch') ?? '0';
  const heard = [...meta].filter(([key, value]) => key.startsWith('heard:') && value === epoch);
  return {
    epoch: Number(epoch),
    heard: heard.map(([key]) => key.slice(6)).sort(),
    vouched: meta.get('vouched') === epoch,
    blank: meta.get('seq') === undefined,
  };
}

/** What holds in every shard; a shard without a meta (its data are gone) vouches for nothing. */
export function weakest(standings: readonly Standing[]): Standing {
  const [first = { epoch: 0, heard: [], vouched: false, blank: true }, ...rest] = standings;
  return rest.reduce(
    (all, one) => ({
      // The newest, so that a shard made anew is seen; none if one shard has none.
      epoch: Math.min(all.epoch, one.epoch) < 1 ? 0 : Math.max(all.epoch, one.epoch),
      heard: all.heard.filter((server) => one.heard.includes(server)),
      vouched: all.vouched && one.vouched,
      blank: all.blank && one.blank,
    }),
    first,
  );
}
