// Gauges: asked of whoever knows, at the moment they are read.
import { Gauge } from 'prom-client';
import type { Metrics } from './metrics.ts';

/** One value of a gauge, with the values of its labels in their order. */
export type Sample = readonly [value: number, ...labels: string[]];

interface GaugeFacts {
  help: string;
  labels: readonly string[];
}

/** The gauges there are. Names, helps and labels stay in one place, so that dashboards can be checked against them. */
const gauges = {
  rookery_lmtp_sessions: { help: 'LMTP sessions open now.', labels: [] },
  rookery_lmtp_processes: { help: 'Processes that serve LMTP, where several share its addresses.', labels: [] },
  rookery_lookup_connections: { help: 'Socketmap connections open now.', labels: [] },
  rookery_backend_connections: {
    help: 'Connections to a backend: busy, idle, waited for, or late (a reply is awaited that its MTA was not told).',
    labels: ['backend', 'state'],
  },
  rookery_backend_breaker: {
    help: '1 for the state of the breaker of a backend, else 0: closed, open (away, not tried), half-open (a probe is under way).',
    labels: ['backend', 'state'],
  },
  rookery_backend_fenced: {
    help: '1 when nothing is delivered to a backend by the word of an operator, else 0.',
    labels: ['backend'],
  },
  rookery_backend_state: {
    help: '1 for the state of a backend by the configuration and the word of operators (new, canary, active, draining, retired), else 0.',
    labels: ['backend', 'state'],
  },
  rookery_backend_words_age_seconds: {
    help: 'How long ago this process heard last what operators say of backends; it looks some times a second.',
    labels: [],
  },
  rookery_lmtp_memory_bytes: { help: 'Bytes held of messages under way.', labels: [] },
  rookery_lmtp_spool_bytes: { help: 'Bytes of messages in files, for backends that have not kept up.', labels: [] },
  rookery_mupdate_sessions: {
    help: 'MUPDATE sessions open now: of clients, of pushing backends, of readers of UPDATE.',
    labels: ['role'],
  },
  rookery_directory_epoch: { help: 'The epoch of the directory: a new one begins with each loss of data.', labels: [] },
  rookery_near_cache_rows: { help: 'Rows of the directory that this process remembers for routing.', labels: [] },
  rookery_routing_lease_held: {
    help: '1 while what is remembered follows the directory, 0 while it is asked for each recipient, or away.',
    labels: [],
  },
  rookery_reconciliation_cases: {
    help: 'Names whose row may not tell the truth, and that wait to be looked into.',
    labels: [],
  },
  rookery_reconciliation_oldest_case_age_seconds: { help: 'How long the oldest of them has been open.', labels: [] },
  rookery_queue_jobs: {
    help: 'Jobs in a queue: waiting, active, delayed, failed and completed (as long as these are kept).',
    labels: ['queue', 'state'],
  },
  rookery_queue_oldest_job_age_seconds: {
    help: 'How long the job that is next in line has been in its queue; 0 when none waits.',
    labels: ['queue'],
  },
  rookery_tree_events: {
    help: 'Events that wait in the lists of trees for the workers of a queue.',
    labels: ['queue'],
  },
  rookery_tree_oldest_event_age_seconds: {
    help: 'How long the event has waited that has waited longest in the lists of trees; 0 when none waits.',
    labels: ['queue'],
  },
  rookery_trees: {
    help: 'Trees with events: waiting, and of those troubled, whose first event has failed and is tried again.',
    labels: ['queue', 'state'],
  },
  rookery_tree_events_set_aside: {
    help: 'Events of trees that have failed too often, and are kept until somebody decides.',
    labels: ['queue'],
  },
  rookery_mailboxes: {
    help: 'Rows of the directory by server, reserved ones among them, as counted from its changes.',
    labels: ['server'],
  },
  rookery_users: { help: 'Those of them that are root mailboxes of users.', labels: ['server'] },
  rookery_runs: { help: 'Plans of moves that are not over, by state.', labels: ['state'] },
  rookery_moves: {
    help: 'Trees of those plans: waiting, moving (under way), and those that have ended, by how: done, back, refused, stopped, skipped, dropped.',
    labels: ['state'],
  },
  rookery_scaler_desired_replicas: {
    help: 'How many workers a pool should have, by the last decision.',
    labels: ['pool'],
  },
  rookery_scaler_workers: {
    help: 'Worker processes of this machine: current (they take jobs) and leaving (they finish what they have).',
    labels: ['pool', 'state'],
  },
  rookery_directory_trusted: { help: '1 when absence from the directory is proof, else 0.', labels: [] },
} as const satisfies Record<string, GaugeFacts>;

export type GaugeName = keyof typeof gauges;

/**
 * Has a gauge read from `source` whenever it is asked for. A source that fails leaves its gauge without a value, and the
 * others as they are.
 */
export function watch(
  metrics: Metrics,
  name: GaugeName,
  source: () => Iterable<Sample> | Promise<Iterable<Sample>>,
): void {
  const { help, labels } = gauges[name];
  new Gauge({
    name,
    help,
    labelNames: labels,
    registers: [metrics.registry],
    async collect() {
      this.reset();
      const samples = await Promise.resolve()
        .then(source)
        .catch(() => []);
      if (labels.length === 0) this.remove();
      for (const [value, ...values] of samples)
        this.set(Object.fromEntries(labels.map((label, at) => [label, values[at] ?? ''])), value);
    },
  });
}
