// What commands open of the real world, each loaded when it is needed: most want neither servers nor Redis, and start the faster.
import type { Surroundings } from './surroundings.ts';

export const openers = {
  openDirectory: async (config) => (await import('../process/open-directory.ts')).lookedAt(config),
  wordsOf: async (config) => (await import('../process/follow-lifecycle.ts')).wordsOf(config),
  openBackends: async (config) => (await import('../process/open-backends.ts')).openBackends(config),
  openLeftOvers: async (config) => (await import('../process/open-left-overs.ts')).openLeftOvers(config),
  openBacklog: async (config) => (await import('../process/open-events.ts')).openBacklog(config),
  openOrders: async (config) => (await import('../process/open-orders.ts')).openOrders(config),
  openMoves: async (config) => (await import('../process/open-runs.ts')).openMovesNow(config),
  openReplicas: async (config) => (await import('../process/open-replicas.ts')).openReplicas(config),
  openUsage: async (config) => (await import('../process/open-usage.ts')).openUsage(config),
  openAudit: async (config) => (await import('../process/open-audit.ts')).openAudit(config),
  openPlanning: async (config) => (await import('../process/open-planning.ts')).openPlanning(config),
  ring: async (config, names) => (await import('../process/open-events.ts')).ringReconcile(config, names),
  placementFigures: async (config, now) =>
    (await import('../process/placement-settings.ts')).configuredFacts(config, now),
} satisfies Partial<Surroundings>;
