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
    vouched: vouchIn(meta.get('vouched'), epoch),
    settled: meta.get('settled') === epoch,
    lost: lostIn(meta.get('lost'), epoch),
    doubt: undefined,
    blank: meta.get('seq') === undefined,
  };
}

/** `vouched` is the epoch, when in milliseconds since 1970, and by whom, with spaces in between. */
function vouchIn(vouched: Bytes = '', epoch: Bytes): Standing['vouched'] {
  const [, of, at, by = ''] = /^(\d+) (\d+) (.*)$/s.exec(vouched) ?? [];
  return of === epoch ? { at: Number(at), by } : undefined;
}

/** `lost` is the epoch that began with a loss, a space, and how the loss was seen. */
function lostIn(lost: Bytes | undefined, epoch: Bytes): string | undefined {
  return lost?.startsWith(`${epoch} `) === true ? lost.slice(epoch.length + 1) : undefined;
}

const nothing: Standing = {
  ...{ epoch: 0, heard: [], vouched: undefined, settled: false, lost: undefined, doubt: undefined, blank: true },
};

/** What holds in every shard; a shard without a meta (its data are gone) vouches for nothing. */
export function weakest(standings: readonly Standing[]): Standing {
  const [first = nothing, ...rest] = standings;
  return rest.reduce(
    (all, one) => ({
      // The newest, so that a shard made anew is seen; none if one shard has none.
      epoch: Math.min(all.epoch, one.epoch) < 1 ? 0 : Math.max(all.epoch, one.epoch),
      heard: all.heard.filter((server) => one.heard.includes(server)),
      vouched: all.vouched && one.vouched,
      settled: all.settled && one.settled,
      lost: all.lost ?? one.lost,
      doubt: all.doubt ?? one.doubt,
      blank: all.blank && one.blank,
    }),
    first,
  );
}
