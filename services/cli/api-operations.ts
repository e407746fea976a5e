// The operations, carried out by the API of a running process.
import { textFromBytes } from '../directory/entry.ts';
import type { Bytes } from '../directory/entry.ts';
import { casesAnswer } from '../operations/case-value.ts';
import { changesAnswer } from '../operations/change-value.ts';
import { statusValue } from '../operations/directory-operations.ts';
import type { DirectoryOperations } from '../operations/directory-operations.ts';
import type { EntryValue } from '../operations/entry-value.ts';
import { claimsAnswer } from '../operations/mailbox-claim.ts';
import { knownValue, mailboxesAnswer, rowOf } from '../operations/mailbox-operations.ts';
import type { MailboxOperations } from '../operations/mailbox-operations.ts';
import type { OnDirectory } from '../operations/operations.ts';
import { wholeJobValue } from '../operations/job-value.ts';
import { jobsAnswer, queuesAnswer } from '../operations/queue-operations.ts';
import type { JobChoice, QueueOperations } from '../operations/queue-operations.ts';
import { routeValue } from '../operations/route-operations.ts';
import { timeText } from '../operations/time-text.ts';
import type { ApiClient } from './api-client.ts';

/** How many mailboxes are asked for at a time. */
const pageSize = 10_000;

export function apiOnDirectory(api: ApiClient): OnDirectory {
  return {
    directory: directoryOf(api),
    mailboxes: mailboxesOf(api),
    route: {
      explain: (address, { poster, sender, size } = {}) => {
        const [auth, from] = [poster, sender].map((bytes) => (bytes === undefined ? undefined : textFromBytes(bytes)));
        const query = { recipient: textFromBytes(address), auth, from, size };
        return api.ask({ method: 'GET', path: '/v1/route', query }, routeValue);
      },
    },
  };
}

export function apiOnQueues(api: ApiClient): QueueOperations {
  return {
    list: async () => (await api.ask({ method: 'GET', path: '/v1/queues' }, queuesAnswer)).queues,
    async jobs(queue, { state, limit }) {
      const path = `/v1/queues/${queue}/jobs`;
      return (await api.ask({ method: 'GET', path, query: { state, limit } }, jobsAnswer)).jobs;
    },
    job: (queue, id) =>
      api.ask({ method: 'GET', path: `/v1/queues/${queue}/jobs/${encodeURIComponent(id)}` }, wholeJobValue),
    async retry(queue, choice) {
      const path = `/v1/queues/${queue}/retry`;
      return (await api.ask({ method: 'POST', path, body: choiceOf(choice) }, jobsAnswer)).jobs;
    },
    async discard(queue, { all, waiting, ...choice }) {
      const path = `/v1/queues/${queue}/discard`;
      return (await api.ask({ method: 'POST', path, body: { ...choiceOf(choice), all, waiting } }, jobsAnswer)).jobs;
    },
  };
}

function choiceOf({ id, kind, about, before, dryRun }: JobChoice): object {
  return {
    ...{ id, kind, about: about && textFromBytes(about) },
    ...{ before: before === undefined ? undefined : timeText(before), dry_run: dryRun },
  };
}

function directoryOf(api: ApiClient): DirectoryOperations {
  return {
    status: () => api.ask({ method: 'GET', path: '/v1/directory/status' }, statusValue),
    cases: async () => (await api.ask({ method: 'GET', path: '/v1/directory/cases' }, casesAnswer)).cases,
    async log({ name, limit }) {
      const query = { name: name && textFromBytes(name), limit };
      return (await api.ask({ method: 'GET', path: '/v1/directory/log', query }, changesAnswer)).changes;
    },
    // Who says so is who bears the token, also below.
    trust: ({ blind }) => api.ask({ method: 'POST', path: '/v1/directory/trust', body: { blind } }, statusValue),
    distrust: () => api.ask({ method: 'POST', path: '/v1/directory/distrust' }, statusValue),
  };
}

function mailboxesOf(api: ApiClient): MailboxOperations {
  const show = (name: Bytes) =>
    api.ask({ method: 'GET', path: `/v1/mailboxes/${encodeURIComponent(textFromBytes(name))}` }, knownValue);
  return {
    show,
    async list({ pattern, server }) {
      const wanted = { pattern: textFromBytes(pattern), server: server && textFromBytes(server), limit: pageSize };
      const all: EntryValue[] = [];
      let after: string | undefined;
      do {
        const query = { ...wanted, after };
        const page = await api.ask({ method: 'GET', path: '/v1/mailboxes', query }, mailboxesAnswer);
        all.push(...page.mailboxes);
        after = page.next;
      } while (after !== undefined);
      return all;
    },
    async find(name) {
      const known = await show(name);
      return rowOf(known) ?? known.absence ?? { proven: false };
    },
    async claim({ pattern, from, to, unseen, dryRun }) {
      const names = { pattern: textFromBytes(pattern), from: textFromBytes(from), to: textFromBytes(to) };
      const body = { ...names, unseen, dry_run: dryRun };
      return (await api.ask({ method: 'POST', path: '/v1/mailboxes/claim', body }, claimsAnswer)).claims;
    },
  };
}
