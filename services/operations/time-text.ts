// Times as they are told: ISO 8601 in UTC, to the millisecond.
import { z } from 'zod';

export const time = z.iso.datetime().meta({ description: 'A time, ISO 8601 in UTC.' });

export function timeText(milliseconds: number): string {
  return new Date(milliseconds).toISOString();
}
