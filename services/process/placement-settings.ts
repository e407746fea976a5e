// From the configuration to what placement goes by: its policy, and the figures of backends that cannot be asked.
import type { Registry } from '../backends/registry.ts';
import type { Config } from '../config/schema.ts';
import type { ServerFacts } from '../placement/facts.ts';
import type { BackendPolicy, Policy } from '../placement/policy.ts';

/** A second of the configuration in milliseconds. */
const second = 1000;

export function placementPolicy({ placement, backends }: Config): Policy {
  return {
    servers: {
      mode: placement.serverlist_select_mode,
      softUsageLimit: placement.serverlist_select_soft_usage_limit,
      usageReinit: placement.serverlist_select_usage_reinit,
      list: placement.serverlist,
    },
    partitions: {
      mode: placement.partition_select_mode,
      softUsageLimit: placement.partition_select_soft_usage_limit,
      usageReinit: placement.partition_select_usage_reinit,
    },
    promisedKiB: placement.promised_space,
    promiseLifetime: placement.promise_lifetime * second,
    promiseAttempts: placement.promise_attempts,
    figuresMaxAge: placement.figures_max_age * second,
    backends: new Map(
      Object.entries(backends).map(([name, backend]) => [
        name,
        backendPolicy(backend.placement, placement.partition_select_exclude),
      ]),
    ),
  };
}

function backendPolicy(own: Config['backends'][string]['placement'], exclude: readonly string[] = []): BackendPolicy {
  return {
    ...{ weight: own.weight, zone: own.zone, tags: own.tags, maximumUsers: own.maximum_users, drain: own.drain },
    exclude: [...exclude, ...(own.partition_select_exclude ?? [])],
  };
}

/** The policy in which each backend takes whom the registry says that it takes: it is asked at each choice. */
export function followingFlags(policy: Policy, registry: Registry): Policy {
  const followed = Array.from(policy.backends, ([name, own]) => {
    const flagged: BackendPolicy = {
      ...own,
      get drain() {
        return registry.standing(name).stage === 'draining';
      },
      get rests() {
        const intake = registry.intake(name);
        return intake.is === 'named' ? intake.why : undefined;
      },
      get shut() {
        const intake = registry.intake(name);
        return intake.is === 'nobody' ? intake.why : undefined;
      },
      get canary() {
        const intake = registry.intake(name);
        return intake.is === 'share' ? intake.percent : undefined;
      },
    };
    return [name, flagged] as const;
  });
  return { ...policy, backends: new Map(followed) };
}

/**
 * What the configuration tells of a backend's space; undefined where it tells nothing. `now` in milliseconds since 1970:
 * what an operator has written counts as fresh. Its users are for the caller to count.
 */
export function configuredFigures({ backends }: Config, name: string, now: number): ServerFacts | undefined {
  const partitions = Object.entries(backends[name]?.placement.partitions ?? {});
  if (partitions.length === 0) return undefined;
  return {
    ...{ name, answered: true, at: now, users: 0 },
    partitions: partitions.map(([partition, { available, total, filesystem }]) => ({
      ...{ name: partition, availableKiB: available, totalKiB: total, filesystem },
    })),
  };
}

/**
 * The figures of all backends, of those that the configuration tells nothing about none, as of servers that do not answer.
 * In the order of serverlist, and then of the configuration.
 */
export function configuredFacts(config: Config, now: number): ServerFacts[] {
  const names = new Set([...(config.placement.serverlist ?? []), ...Object.keys(config.backends)]);
  return Array.from(
    names,
    (name) =>
      configuredFigures(config, name, now) ?? {
        name,
        answered: false,
        silence: 'its space is not configured',
        at: now,
        users: 0,
        partitions: [],
      },
  );
}
