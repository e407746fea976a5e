// Moves, planned by the API of a running process.
import { bytesFromText, textFromBytes } from '../directory/entry.ts';
import type { Bytes } from '../directory/entry.ts';
import { planFrom, UnfitPlanFile } from '../moves/plan-file.ts';
import type { PlanLimits } from '../moves/plan.ts';
import { planHash } from '../moves/plan-text.ts';
import type { MovePlanning } from '../operations/move-planning.ts';
import { planAnswer } from '../operations/move-planning.ts';
import type { ApiClient } from './api-client.ts';
import { CommandError, exit } from './exit-codes.ts';

export function apiOnPlanning(api: ApiClient): MovePlanning {
  return {
    // Who has it made is who bears the token.
    async plan({ users, pattern, evacuate, to, limits, ...rest }) {
      const text = (bytes: Bytes | undefined) => (bytes === undefined ? undefined : textFromBytes(bytes));
      const body = {
        ...{ ...rest, users: users.map(nameValue), to: to.map(textFromBytes) },
        ...{ pattern: text(pattern), evacuate: text(evacuate), limits: limitsIn(limits) },
      };
      return planIn(await api.ask({ method: 'POST', path: '/v1/moves/plans', body }, planAnswer));
    },
  };
}

/** What is no UTF-8 goes as bytes. */
export function nameValue(name: Bytes): string | { base64url: string } {
  const text = textFromBytes(name);
  if (bytesFromText(text) === name) return text;
  return { base64url: Buffer.from(name, 'latin1').toString('base64url') };
}

/** Whole, or not at all. */
function planIn(answer: unknown) {
  try {
    const { plan, hash } = planFrom(answer);
    if (planHash(plan) === hash) return plan;
  } catch (error) {
    if (!(error instanceof UnfitPlanFile)) throw error;
  }
  throw new CommandError(
    exit.unavailable,
    'the API answers with no plan that can be read: it may be of another version',
  );
}

function limitsIn({ total, perSource, perDestination, perPartition, bytesPerSecond }: Partial<PlanLimits>): object {
  return {
    ...{ total, per_source: perSource, per_destination: perDestination, per_partition: perPartition },
    bytes_per_second: bytesPerSecond,
  };
}
