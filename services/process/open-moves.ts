// Opens what moves are ordered and carried out with: where they and runs of them are kept, and the manifests beside them.
import type { Config } from '../config/schema.ts';
import { MinuteFigures } from '../metrics/minute-figures.ts';
import { EmptyingStore } from '../moves/emptying-store.ts';
import { FindingStore } from '../moves/finding-store.ts';
import { RedisManifests } from '../moves/manifest-store.ts';
import { MoveStore } from '../moves/move-store.ts';
import { RunStore } from '../moves/run-store.ts';
import type { MoveTools } from '../moves/tools.ts';
import { commandConnection, unheard } from '../redis/connection.ts';
import type { ConnectionHearer } from '../redis/connection.ts';
import type { CopyAbove } from '../moves/worth-copying.ts';
import { moveTools } from './move-tools.ts';
import { eventsPlace } from './redis-access.ts';

/** How long Redis may take to answer, in milliseconds. */
const patience = 5000;

/** A second of the configuration in milliseconds. */
const second = 1000;

export interface Moves {
  store: MoveStore;
  runs: RunStore;
  /** What proxies and workers tell of the last minute. */
  figures: MinuteFigures;
  manifests: RedisManifests;
  /** What moves and audits have found left over. */
  findings: FindingStore;
  /** How far backends are that are emptied. */
  emptying: EmptyingStore;
  tools: MoveTools;
  /** Of the saga, in milliseconds but for the attempts. */
  settings: {
    lease: number;
    cutTimeout: number;
    observe: number;
    attempts: number;
    retention: number;
    copyAbove: CopyAbove;
  };
  close(): void;
}

/** Opens them whether or not Redis answers. */
export function openMoves(config: Config, hearer: ConnectionHearer = unheard): Moves {
  const redis = commandConnection({ place: eventsPlace(config), commandTimeout: patience, ...hearer });
  const { lease, cut_timeout, observe, attempts, keep_done, retention, copy_above } = config.moves;
  return {
    store: new MoveStore(redis, keep_done),
    runs: new RunStore(redis, keep_done),
    figures: new MinuteFigures(redis, Date.now),
    manifests: new RedisManifests(redis, moveTools.codec, keep_done),
    findings: new FindingStore(redis),
    emptying: new EmptyingStore(redis),
    tools: moveTools,
    settings: {
      ...{ lease: lease * second, cutTimeout: cut_timeout * second, observe: observe * second, attempts },
      retention: retention * second,
      copyAbove: { octets: copy_above.bytes, messages: copy_above.messages },
    },
    close() {
      redis.disconnect();
    },
  };
}
