// The queue `usage`: asks a backend how full it is, and keeps what it said.
import type { ImapAdmins } from '../services/backends/imap-admins.ts';
import type { Registry } from '../services/backends/registry.ts';
import type { Outcome } from '../services/events/processor.ts';
import { askUsage } from '../services/placement/usage.ts';
import type { UsageHistory } from '../services/placement/usage-history.ts';

export interface UsageOptions {
  registry: Registry;
  admins: Pick<ImapAdmins, 'ask'>;
  history: Pick<UsageHistory, 'add'>;
  log: { warn(fields: object, text: string): void };
}

/**
 * A silent backend is a figure, too, and not an error: it is asked again when its time comes. Throws when the figure
 * cannot be kept.
 */
export function usageProcessor({ registry, admins, history, log }: UsageOptions) {
  return async ({ server }: { server: string }, signal: AbortSignal): Promise<Outcome> => {
    // It may have left the configuration since.
    if (!registry.find(server)) return { is: 'done', note: 'no backend of this name' };
    const figure = await askUsage(server, { registry, admins, now: Date.now() });
    signal.throwIfAborted();
    await history.add(figure);
    if (figure.total === undefined) {
      log.warn({ server, error: figure.error }, 'usage: a backend does not say how full it is');
      return { is: 'open', note: figure.error ?? 'no figure' };
    }
    const { availableKiB, totalKiB } = figure.total;
    return { is: 'done', note: `${availableKiB} of ${totalKiB} KiB available` };
  };
}
