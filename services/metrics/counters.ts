// Counters and histograms: what has happened so far, and how long it took.

interface CounterFacts {
  help: string;
  labels: readonly string[];
}

interface HistogramFacts extends CounterFacts {
  /** Upper bounds, in the unit of the name. */
  buckets: readonly number[];
}

/** The counters there are. Names, helps and labels stay in one place, as those of gauges (gauges.ts) do. */
export const counters = {
  rookery_lmtp_recipients_total: {
    help: 'Recipients answered, by what became of them, why, and the backend concerned.',
    labels: ['outcome', 'reason', 'backend'],
  },
  rookery_lmtp_unheard_replies_total: {
    help: 'Deliveries that the MTA may not have heard of: kept, taken (the MTA came again, and was told), or failed (Redis away).',
    labels: ['event'],
  },
  rookery_lmtp_contradictions_total: {
    help: 'Recipients that a backend did not know though the directory places them there.',
    labels: ['backend'],
  },
  rookery_lmtp_process_deaths_total: {
    help: 'Processes serving LMTP that ended without being told to, and were replaced.',
    labels: [],
  },
  rookery_directory_lookups_total: {
    help: 'Names looked up in the directory, by what was found.',
    labels: ['result'],
  },
  rookery_near_cache_answers_total: {
    help: 'Lookups answered, by where from: memory, memory without a lease (stale), the directory itself.',
    labels: ['source'],
  },
  rookery_directory_losses_total: {
    help: 'Losses of data in Redis that this process has seen; a new epoch began with each.',
    labels: [],
  },
  rookery_lookup_answers_total: {
    help: 'Questions of MTAs by socketmap: the map (none where there is no such one) and the answer: OK, NOTFOUND, TEMP, PERM.',
    labels: ['map', 'answer'],
  },
  rookery_lookup_closed_total: {
    help: 'Socketmap connections closed on clients: timeout, malformed, limit.',
    labels: ['why'],
  },
  rookery_dead_letters_total: {
    help: 'Jobs given up, by queue and by why: refused, away, busy, fault, unfit, newer, lost.',
    labels: ['queue', 'kind'],
  },
  rookery_moves_total: {
    help: 'Moves of trees that have ended: done, back, refused, stopped.',
    labels: ['state'],
  },
  rookery_moved_octets_total: { help: 'Octets of the trees that were moved.', labels: [] },
  rookery_api_requests_total: {
    help: 'Requests to the API and the board: the path, the role of the token (none for strangers), what became of them.',
    labels: ['route', 'role', 'outcome'],
  },
} as const satisfies Record<string, CounterFacts>;

export type CounterName = keyof typeof counters;

/** Seconds: from what a local backend takes, over Postfix' patience with an envelope, to its 600 s for the replies. */
const seconds = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600];

export const histograms = {
  rookery_lmtp_recipient_seconds: {
    help: 'From RCPT to the last reply about the recipient, by what became of it.',
    labels: ['outcome'],
    buckets: seconds,
  },
  rookery_lookup_seconds: {
    help: 'From a question by socketmap to its answer.',
    labels: ['map'],
    buckets: [0.001, ...seconds.slice(0, 11)],
  },
  rookery_move_seconds: {
    help: 'From the first look at a move to its end, by how it ended.',
    labels: ['state'],
    buckets: [...seconds, 1800, 3600, 7200],
  },
  rookery_move_held_seconds: {
    help: 'How long mail for a tree was put off, or held, while it was moved.',
    labels: [],
    buckets: [...seconds, 1800, 3600],
  },
  rookery_job_seconds: {
    help: 'How long workers had a job, by queue and by how that ended: done, open, later, given back, lost, retried, dead.',
    labels: ['queue', 'outcome'],
    buckets: seconds,
  },
} as const satisfies Record<string, HistogramFacts>;

export type HistogramName = keyof typeof histograms;

/** A value for each label of a metric, in the order of the labels. */
export type LabelValues<L extends readonly string[]> = { readonly [K in keyof L]: string };
