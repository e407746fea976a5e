// Carries out the steps that make a new user, at one backend.
import type { ImapAdmin } from '../backends/imap-admin.ts';
import type { MailboxFacts } from '../backends/imap-mailboxes.ts';
import type { Effect } from '../backends/imap-session.ts';
import type { Step } from './new-user.ts';

export interface MakeOptions {
  /** Asked before each step; each one is bounded by the connection's own time-out. */
  signal?: AbortSignal;
  /** Whether the backend tells the directory of its mailboxes by itself. */
  mupdate: boolean;
}

export interface UserMade {
  /** What was done and what was so already, in the order of the steps. */
  steps: { step: Step; effect: Effect }[];
  /** Where the INBOX is, wherever it was wished to be: an earlier attempt, or somebody else, may have made it. */
  inbox: MailboxFacts | undefined;
}

/** What of a backend's administration is needed. */
export type UserMaker = Pick<ImapAdmin, 'createMailbox' | 'push' | 'setQuota' | 'setAcl' | 'subscribe'>;

/**
 * May be ended at any line and run again, also twice at the same time: one user results. Rejects with the ImapFailure of
 * the first step that fails; the ones before it are done. A subscription can't be seen to be there, and is done each time.
 */
export async function makeUser(steps: readonly Step[], admin: UserMaker, options: MakeOptions): Promise<UserMade> {
  const made: UserMade = { steps: [], inbox: undefined };
  for (const step of steps) {
    options.signal?.throwIfAborted();
    const { effect, facts } = await take(step, admin, options.mupdate);
    made.steps.push({ step, effect });
    if (step.do === 'inbox') made.inbox = facts;
  }
  return made;
}

interface Taken {
  effect: Effect;
  facts?: MailboxFacts;
}

async function take(step: Step, admin: UserMaker, mupdate: boolean): Promise<Taken> {
  switch (step.do) {
    case 'inbox':
    case 'folder': {
      const { is, ...facts } = await admin.createMailbox(step.name, {
        ...(step.partition !== undefined && { partition: step.partition }),
        ...(step.do === 'folder' && step.specialUse !== undefined && { specialUse: [step.specialUse] }),
      });
      // Cyrus makes a mailbox before it tells the directory: an attempt that broke off between may have left it untold.
      if (is === 'exists' && mupdate) await admin.push(step.name);
      return { effect: is === 'created' ? 'done' : 'already', facts };
    }
    case 'quota':
      return { effect: await admin.setQuota(step.name, step.limits) };
    case 'acl':
      return { effect: await admin.setAcl(step.name, step.identifier, step.rights) };
    case 'subscribe':
      await admin.subscribe(step.folders);
      return { effect: 'done' };
  }
}
