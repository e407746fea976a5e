// Opens the figures of the minute for a proxy, which tells there of messages that it puts off for moves.
import type { Config } from '../config/schema.ts';
import { MinuteFigures } from '../metrics/minute-figures.ts';
import { commandConnection } from '../redis/connection.ts';
import type { ConnectionHearer } from '../redis/connection.ts';
import { eventsPlace } from './redis-access.ts';

/** How long Redis may take to answer, in milliseconds. */
const patience = 5000;

export interface OpenFigures {
  figures: MinuteFigures;
  close(): Promise<void>;
}

/** Opens them whether or not Redis answers: what it does not take is lost. */
export function openFigures(config: Config, hearer: ConnectionHearer): OpenFigures {
  const redis = commandConnection({ place: eventsPlace(config), commandTimeout: patience, ...hearer });
  const figures = new MinuteFigures(redis, Date.now);
  return {
    figures,
    async close() {
      await figures.close();
      redis.disconnect();
    },
  };
}
