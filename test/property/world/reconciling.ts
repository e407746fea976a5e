// Reconciliation and the operator: cases looked into by asking the backends, verdicts carried out, claims.
import { verdictOn } from '../../../services/directory/reconciliation.ts';
import type { Holding } from '../../../services/directory/reconciliation.ts';
import type { Times } from '../../../services/directory/rules.ts';
import { pause } from './asking.ts';
import type { Reply, Task } from './asking.ts';
import type { Backend } from './backend.ts';
import type { Dice } from './dice.ts';

export interface Surroundings {
  backends: readonly Backend[];
  times: Times;
  now: () => number;
}

/** What a backend answers an administrator; one that does not run, or is slow, answers nothing. */
function holdingOf(backend: Backend, name: string, dice: Dice | undefined): Holding {
  if (backend.running !== 'up' || backend.inFlight.has(name) || dice?.permille(60) === true) return 'unknown';
  const mailbox = backend.mailboxes.get(name);
  if (!mailbox) return 'lacks';
  return mailbox.moving === undefined ? 'has' : 'moving';
}

/** Looks into one name. Without dice it knows everything there is to know. */
export function* reconcile(name: string, { backends, times, now }: Surroundings, dice?: Dice): Task {
  for (let round = 0; round < 4; round++) {
    const { row, open } = yield { do: 'look', name };
    if (!open) return;
    const holdings = new Map<string, Holding>();
    for (const backend of backends) {
      holdings.set(backend.name, holdingOf(backend, name, dice));
      if (dice) yield pause;
    }
    const verdict = verdictOn({ row, open, holdings, times, now: now() });
    if (verdict.is === 'wait') {
      yield { do: 'note', name, waiting: verdict.why };
      return;
    }
    const { forget } = verdict;
    let done: Reply = { ok: true };
    if (verdict.is === 'resolve') {
      const { action } = verdict;
      done = yield { do: 'resolve', resolution: { name, expected: row, rung: open.rung, action, forget } };
    } else {
      if (verdict.hand)
        done = yield { do: 'resolve', resolution: { name, expected: row, rung: open.rung, action: 'hand', forget } };
      const backend = backends.find((one) => one.name === verdict.server);
      const mailbox = backend?.mailboxes.get(name);
      if (done.ok && backend?.running === 'up' && mailbox) {
        const place = { location: backend.locationOf(name), acl: mailbox.acl };
        done = yield { do: 'elsewhere', backend, verb: 'ACTIVATE', name, ...place };
      }
    }
    if (!done.ok) return;
  }
}

/** The operator gives the name to a server that has it. */
export function* claim(name: string, backends: readonly Backend[], dice: Dice): Task {
  const { row, open } = yield { do: 'look', name };
  const backend = dice.of(backends.filter((one) => one.mailboxes.has(name) && !one.inFlight.has(name)));
  if (!open || !backend) return;
  const at = { location: backend.locationOf(name), acl: backend.mailboxes.get(name)?.acl ?? '' };
  yield { do: 'resolve', resolution: { name, expected: row, rung: open.rung, action: 'claim', forget: [], at } };
}
