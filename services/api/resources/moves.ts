// /v1/moves: plans of moves are started, followed, held up, gone on with, and reported on.
import { z } from 'zod';
import type { RunWish } from '../../moves/starting.ts';
import { followRun } from '../../operations/following-run.ts';
import { checkedValue, endsAnswer, reportAnswer, retryAnswer, runsAnswer } from '../../operations/move-operations.ts';
import type { MoveOperations } from '../../operations/move-operations.ts';
import { reportLines } from '../../operations/report-csv.ts';
import { moveValue, runValue, wholeRunValue } from '../../operations/run-value.ts';
import { callerName } from '../access.ts';
import { lastEventId, streamEvents } from '../event-stream.ts';
import type { StreamedEvent } from '../event-stream.ts';
import {
  anyNameField,
  bytesOf,
  bytesOfAny,
  encodingField,
  limitField,
  limitFields,
  nameField,
  numberField,
} from '../fields.ts';
import type { Resource } from '../resource.ts';
import { field } from '../validation.ts';

const runField = field(z.string().regex(/^[A-Za-z0-9-]{1,64}$/), 'The run.', 'the id of a run, as the list has it');
const aRun = z.strictObject({ run: runField });

const bound = (doc: string, most = 1_000_000) =>
  field(z.int().min(0).max(most).optional(), doc, `a whole number from 0 to ${most}`);

const seconds = field(
  z.number().min(0).max(3600).optional(),
  'A backend takes so many seconds to answer.',
  'a number from 0 to 3600',
);

const startBody = z.strictObject({
  plan: field(
    z.record(z.string(), z.unknown()),
    'The plan.',
    'the content of a file that rookery move plan has made, unchanged',
  ),
  limits: z
    .strictObject({
      ...{
        total: limitFields.atATime('How many moves at a time.'),
        per_source: limitFields.atATime('From one server.'),
      },
      ...{ per_destination: limitFields.atATime('To one server.') },
      ...{
        per_partition: limitFields.atATime('From or to one partition.'),
        bytes_per_second: limitFields.bytesPerSecond,
      },
    })
    .prefault({}),
  windows: field(
    z.array(z.string().max(100)).max(100).optional(),
    'When moves may begin, in place of moves.windows.',
    'a list of HH:MM-HH:MM, with days before it where not all are meant: mon-fri 22:00-06:00',
  ),
  stop_when: z
    .strictObject({
      ...{ failed: bound('So many have failed.'), failed_percent: bound('So many of a hundred have failed.', 100) },
      ...{ deferred: bound('So many messages a minute are put off.'), latency: seconds },
    })
    .prefault({}),
  again: field(z.boolean().default(false), 'Though the plan has a run that is over.', 'true or false'),
});

/** The largest plan that is taken, in bytes: more than 200,000 moves. */
const bodyLimit = 64 * 1024 * 1024;

/** How often a run is looked at that somebody follows, in milliseconds. */
const lookEvery = 1000;

function wishOf({ limits, windows, stop_when: stop, again }: z.output<typeof startBody>): RunWish {
  return {
    limits: given({
      ...{ total: limits.total, perSource: limits.per_source, perDestination: limits.per_destination },
      ...{ perPartition: limits.per_partition, bytesPerSecond: limits.bytes_per_second },
    }),
    stopWhen: given({
      ...{ failed: stop.failed, failedPercent: stop.failed_percent, deferred: stop.deferred, latency: stop.latency },
    }),
    ...(windows && { windows }),
    again,
  };
}

/** Without what is undefined. */
function given<T extends object>(all: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined)) as never;
}

async function* newsOf(
  moves: MoveOperations,
  run: string,
  after: number,
  signal: AbortSignal,
): AsyncGenerator<StreamedEvent> {
  let ended = after;
  for await (const news of followRun(moves, run, { after, every: lookEvery, signal })) {
    if (news.is === 'end') ended = news.end.number;
    const isLast = news.is === 'progress' && news.run.ended !== undefined;
    yield news.is === 'end'
      ? { event: 'move', id: ended, data: news.end }
      : { event: isLast ? 'over' : 'progress', id: ended, data: news.run };
  }
}

export const moves: Resource = (server, { operations: { moves } }) => {
  server.post(
    '/v1/moves',
    {
      ...{ bodyLimit, config: { role: 'admin', large: true } },
      schema: {
        ...{ operationId: 'startRun', summary: 'Starts a plan of moves', tags: ['moves'], body: startBody },
        description:
          'Workers carry it out. Refused (409) where the plan has a run that is not over, or too much has changed since it was made; single trees that have changed are skipped.',
        response: { 202: runValue },
      },
    },
    async (request, reply) => {
      const { body } = request;
      return reply.code(202).send(await moves.start(JSON.stringify(body.plan), wishOf(body), callerName(request)));
    },
  );
  server.post(
    '/v1/moves/check',
    {
      ...{ bodyLimit, config: { role: 'operate', asks: true, large: true } },
      schema: {
        ...{ operationId: 'checkPlan', summary: 'What starting a plan would do now', tags: ['moves'] },
        description:
          'Nothing is started. It tells what has changed since the plan was made, and what would be skipped.',
        ...{ body: startBody, response: { 200: checkedValue } },
      },
    },
    ({ body }) => moves.check(JSON.stringify(body.plan), wishOf(body)),
  );
  server.get(
    '/v1/moves',
    {
      config: { role: 'read' },
      schema: {
        ...{ operationId: 'listRuns', summary: 'Plans that were started, the newest first', tags: ['moves'] },
        ...{ querystring: z.strictObject({ limit: limitField(1000, 50) }), response: { 200: runsAnswer } },
      },
    },
    async ({ query }) => ({ runs: await moves.list(query.limit) }),
  );
  server.get(
    '/v1/moves/of/:name',
    {
      config: { role: 'read' },
      schema: {
        ...{ operationId: 'showMove', summary: 'The last move of a tree', tags: ['moves'] },
        params: z.strictObject({ name: nameField('The root of the tree.') }),
        ...{ querystring: z.strictObject({ encoding: encodingField }), response: { 200: moveValue } },
      },
    },
    ({ params, query }) => moves.of(bytesOf(params.name, query.encoding)),
  );
  server.get(
    '/v1/moves/:run',
    {
      config: { role: 'read' },
      schema: {
        ...{ operationId: 'showRun', summary: 'How far a run is, and what is under way', tags: ['moves'] },
        ...{ params: aRun, response: { 200: wholeRunValue } },
      },
    },
    ({ params }) => moves.show(params.run),
  );
  following(server, moves);
  turning(server, moves);
};

/** What is read of a run while it goes on, and after it. */
function following(server: Parameters<Resource>[0], moves: MoveOperations): void {
  server.get(
    '/v1/moves/:run/events',
    {
      config: { role: 'read' },
      schema: {
        ...{ operationId: 'followRun', summary: 'A run as server-sent events', tags: ['moves'], params: aRun },
        description:
          'move: a tree has been moved, or not (id: how many have ended). progress: the run, when it has changed. over: the run at its end, the last event. Last-Event-ID, or after, resumes; a number that is beyond all ends stands for the last of them.',
        querystring: z.strictObject({
          after: numberField(0, 999_999_999, 'What ended after so many ends.').optional(),
        }),
        produces: ['text/event-stream'],
      },
    },
    async (request, reply) => {
      const { run } = request.params;
      const asked = lastEventId(request) ?? request.query.after ?? 0;
      // Refused as usual where there is no such run. Whoever was further than it is was so of another one, and misses nothing.
      const after = Math.min(asked, (await moves.show(run)).ends);
      await streamEvents(request, reply, (signal) => newsOf(moves, run, after, signal));
    },
  );
  server.get(
    '/v1/moves/:run/ends',
    {
      config: { role: 'read' },
      schema: {
        ...{
          operationId: 'listEnds',
          summary: 'What has ended of a run, in that order',
          tags: ['moves'],
          params: aRun,
        },
        querystring: z.strictObject({
          after: numberField(0, 999_999_999, 'What ended after so many ends.').default(0),
          limit: limitField(1000, 500),
        }),
        response: { 200: endsAnswer },
      },
    },
    async ({ params, query }) => ({ ends: await moves.ends(params.run, query.after, query.limit) }),
  );
  server.get(
    '/v1/moves/:run/report',
    {
      config: { role: 'read' },
      schema: {
        ...{ operationId: 'reportRun', summary: 'What became of each tree of the plan, in its order', tags: ['moves'] },
        description: 'As JSON a page at a time; as CSV (RFC 4180) all of it.',
        params: aRun,
        querystring: z.strictObject({
          format: field(z.enum(['json', 'csv']).default('json'), 'How it is written.', 'json or csv'),
          from: numberField(0, 999_999_999, 'Where in the plan the page begins.').default(0),
          limit: limitField(10_000, 1000),
        }),
        response: { 200: reportAnswer.or(z.string()) },
      },
    },
    async ({ params, query }, reply) => {
      if (query.format === 'json') return moves.report(params.run, query.from, query.limit);
      const { rows, next } = await moves.report(params.run, 0, query.limit);
      const { Readable } = await import('node:stream');
      const lines = reportLines(rows, next, (from) => moves.report(params.run, from, query.limit));
      return reply.type('text/csv; charset=utf-8').send(Readable.from(lines) as never);
    },
  );
}

/** What changes a run. */
function turning(server: Parameters<Resource>[0], moves: MoveOperations): void {
  const turns = [
    ['pause', 'pauseRun', 'Begins nothing more; what has begun ends'],
    ['resume', 'resumeRun', 'Goes on with a run that was paused, or has stopped by itself'],
    ['cancel', 'cancelRun', 'Begins nothing more, for good; what is before its cut goes back'],
  ] as const;
  for (const [verb, operationId, summary] of turns) {
    server.post(
      `/v1/moves/:run/${verb}`,
      {
        config: { role: 'operate' },
        schema: { ...{ operationId, summary, tags: ['moves'], params: aRun, response: { 200: runValue } } },
      },
      (request) => moves[verb](request.params.run, callerName(request)),
    );
  }
  server.post(
    '/v1/moves/:run/retry',
    {
      config: { role: 'operate' },
      schema: {
        ...{ operationId: 'retryRun', summary: 'Has failed moves of a run tried again', tags: ['moves'], params: aRun },
        description:
          'A run that has stopped by itself goes on then. With a name it does not: what is paused or stopped stays so, and this tree alone is moved.',
        body: z
          .strictObject({
            name: field(
              anyNameField('A tree.'),
              'This one alone.',
              'a mailbox name, as user.jdoe, or { base64url } where it is no text',
            ).optional(),
          })
          .prefault({}),
        response: { 200: retryAnswer },
      },
    },
    (request) => {
      const { name } = request.body;
      return moves.retry(request.params.run, name === undefined ? undefined : bytesOfAny(name), callerName(request));
    },
  );
}
