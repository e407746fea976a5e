// What the processes of the role `lmtp` say to the one that keeps them, and it to them.
import type { Readiness } from '../api/health.ts';
import type { Address } from '../backends/registry.ts';
import type { Config } from '../config/schema.ts';
import type { Figures } from '../metrics/metrics.ts';

export type ToPart =
  | { do: 'start'; config: Config }
  | { do: 'stop' }
  /** Answered by `answer` with the same number. */
  | { do: 'tell figures'; number: number }
  | { do: 'tell health'; number: number }
  | { do: 'prepare'; number: number; config: Config }
  /** Puts into force what was prepared last. */
  | { do: 'commit'; number: number };

export type FromPart =
  | { is: 'serving'; addresses: Address[] }
  | { is: 'failed'; why: string }
  | { is: 'answer'; number: number; figures?: Figures; health?: Readiness; error?: string };
