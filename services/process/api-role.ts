// The role `api`: health, metrics and the operators' API by HTTP.
import { readable } from '../address/bytes.ts';
import { RedisTrail } from '../api/audit-trail.ts';
import type { BoardOptions } from '../api/board.ts';
import { ApiServer } from '../api/server.ts';
import { Tokens } from '../api/tokens.ts';
import type { Config } from '../config/schema.ts';
import { subjectOf } from '../events/envelope.ts';
import type { QueueName } from '../events/queues.ts';
import type { BackendMeans } from '../operations/backend-operations.ts';
import { openMoveOf } from '../moves/open-move.ts';
import { Ordering } from '../users/ordering.ts';
import { lackAsked } from './asking-backends.ts';
import { replicaRings } from './open-replicas.ts';
import { planningBeside } from './open-planning.ts';
import { evacuationOf } from './open-evacuation.ts';
import { openMoves } from './open-moves.ts';
import { operatorsMoves, watchRuns } from './open-runs.ts';
import { openUsers } from './open-users.ts';
import { openMeans } from './open-backends.ts';
import { openLeftOverMeans } from './open-left-overs.ts';
import {
  onAudit,
  onBackends,
  onDirectory,
  onLeftOvers,
  onMoves,
  onPlanning,
  onPools,
  onQueues,
  onReplication,
  onUsage,
  onUsers,
} from './operations.ts';
import { queuesOf } from './replicas.ts';
import { eventsPlace } from './redis-access.ts';
import type { Events, RoleStart, StartedRole } from './role.ts';

export async function startApiRole(start: RoleStart): Promise<StartedRole> {
  const { config, directory, routing, registry, checks, notes, metrics, log, outages } = start;
  const tokens = tokensOf(config);
  const events = await start.events();
  // Whoever has heard that this process is ready finds the queues, if they can be found at all.
  await events.queues.begun();
  const users = openUsers(config, start.outages.of('events'));
  const { orders, decisions, history } = users;
  const { producer } = events;
  const moves = openMoves(config, start.outages.of('events'));
  const ordering = new Ordering({
    ...{ orders, directory, lacks: lackAsked(config), moving: (name) => openMoveOf(name, moves.store) },
    ring: (name) => {
      producer.ring('placement', { name });
    },
  });
  const planning = planningBeside(config, { directory, registry, counts: events.counts }, outages.of('events'));
  watchRuns(moves.runs, start.watch);
  const { backlog } = events;
  const hearer = start.outages.of('directory');
  const rung = operatorsMoves(config, moves, { directory, registry }, (run) => {
    producer.ring('plans', { run });
  });
  const onRuns = { planning: onPlanning(planning, config), moves: onMoves(rung) };
  const words = () => backends.store.all();
  const evacuation = evacuationOf({ planning: onRuns.planning, rung, moves, words });
  const evacuate: BackendMeans['evacuate'] = (server, by) => evacuation.begin(server, by);
  const backends: ReturnType<typeof openMeans> = openMeans(
    config,
    { directory, registry, backlog, users, moves, evacuate },
    hearer,
  );
  const leftOvers = openLeftOverMeans(config, { directory, registry, routing }, outages.of('events'));
  const trail = new RedisTrail(eventsPlace(config), config.api.audit_length);
  const api = new ApiServer({
    ...{ checks, notes, metrics, log },
    v1: {
      ...{ tokens, trail, log, board: boardOf(config, events) },
      operations: {
        ...onDirectory(directory, registry, config, (name) => {
          producer.ring('reconcile', { name });
        }),
        ...{ ...onUsers({ ordering, decisions }, config, registry), usage: onUsage(history, config) },
        ...{
          backends: onBackends(backends),
          leftOvers: onLeftOvers(leftOvers),
          queues: onQueues({ ...events, names: queuesOf(config) }),
          ...onRuns,
          replication: onReplication(replicaRings(events), directory, config),
          scaling: onPools(config, events),
          audit: onAudit(trail),
        },
      },
      ratePerMinute: config.api.rate_limit,
      count: (route, role, outcome) => {
        metrics.count('rookery_api_requests_total', route, role, outcome);
      },
    },
  });
  const stop = async () => {
    await api.close();
    trail.close();
    backends.close();
    leftOvers.close();
    users.close();
    await planning.close();
    moves.close();
  };
  try {
    // A copy: fastify writes into what it is given.
    const address = await api.listen({ ...config.api.listen });
    return { name: 'HTTP', addresses: [address], stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

function tokensOf({ api }: Config): Tokens {
  return new Tokens(Object.entries(api.tokens).map(([name, { token = '', role }]) => ({ name, token, role })));
}

function boardOf(config: Config, { queues }: Events): BoardOptions {
  return {
    level: config.api.board,
    queues: queuesOf(config).map((name) => queues.handle(name)),
    answers: () => queues.answers,
    about: (queue, data) => {
      const subject = subjectOf(queue as QueueName, data);
      return subject === undefined ? undefined : readable(subject);
    },
  };
}
