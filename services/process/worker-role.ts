// The role `worker`: works off the queues of events, for good or until they are empty.
import { drained } from '../events/draining.ts';
import { eventsPlace } from './redis-access.ts';
import { openEvacuation } from './open-evacuation.ts';
import { openMoves } from './open-moves.ts';
import { openUsers } from './open-users.ts';
import { replicasOf, workedHere } from './replicas.ts';
import { formOf, retriesOf, timesOf } from './settings.ts';
import type { RoleStart, StartedRole } from './role.ts';

export async function startWorkerRole(start: RoleStart): Promise<StartedRole> {
  const { config, directory, routing, registry, log, metrics, workers } = start;
  const { queues, concurrency = config.workers.concurrency, drain } = workers.wish;
  const grace = config.workers.shutdown_grace * 1000;
  // Opened for its gauges, and for processors that ring.
  const { backlog, trees, counts, replicas, producer } = await start.events();
  const users = openUsers(config, start.outages.of('events'));
  const moves = openMoves(config, start.outages.of('events'));
  const emptying = openEvacuation(start, {
    ...{ moves, counts },
    ring: (run) => {
      producer.ring('plans', { run });
    },
  });
  const close = async () => {
    await emptying.close();
    users.close();
    moves.close();
  };
  // Where it refuses a queue nothing may stay open.
  const begin = async () =>
    workers.start({
      ...{ place: eventsPlace(config), queues, concurrency, directory, registry, log },
      ...{ trees, counts, replicas, users: { ...users, form: formOf(config) }, routing },
      moves: {
        ...moves,
        ended: (move) => {
          metrics.observeMove(move);
        },
      },
      emptying,
      ringMove: (name) => {
        producer.ring('moves', { name });
      },
      ringCase: (name) => {
        producer.ring('reconcile', { name });
      },
      worked: workedHere(config),
      replication: { access: replicasOf(config), unixhierarchysep: config.lmtp.unixhierarchysep },
      times: timesOf(config),
      imapTimeout: config.workers.imap_timeout * 1000,
      // What remains after it is stopped: half of the time is to work in, at least.
      grace: drain ? Math.min(grace, drain.deadline / 2) : grace,
      lostAfter: config.workers.lost_after * 1000,
      retries: retriesOf(config),
      kept: config.workers.kept,
      name: `${config.servername}/${process.pid}`,
      measure: {
        run: (queue, end, seconds) => {
          metrics.observeJob(queue, end, seconds);
        },
        dead: (queue, kind) => {
          metrics.countDeadLetter(queue, kind);
        },
      },
    });
  const running = await begin().catch(async (error: unknown) => {
    await close();
    throw error;
  });
  const empty =
    drain &&
    drained({ backlog, running, idle: drain.idle, within: drain.deadline - Math.min(grace, drain.deadline / 2) });
  return {
    name: 'Worker',
    addresses: [],
    works: `${running.queues.join(', ')}, ${concurrency} jobs at a time`,
    ...(empty && { done: empty.ended }),
    async stop() {
      empty?.stop();
      await running.stop();
      await close();
    },
  };
}
