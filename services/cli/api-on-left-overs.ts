// Audits of moves and what they have found, asked of the API of a running process.
import { textFromBytes } from '../directory/entry.ts';
import { discardValue } from '../operations/discarding.ts';
import { auditedValue, findingsAnswer } from '../operations/left-over-operations.ts';
import type { LeftOverOperations } from '../operations/left-over-operations.ts';
import type { ApiClient } from './api-client.ts';

export function apiOnLeftOvers(api: ApiClient): LeftOverOperations {
  return {
    audit(choice) {
      const body = 'names' in choice ? { names: choice.names.map(textFromBytes) } : choice;
      return api.ask({ method: 'POST', path: '/v1/moves/audit', body }, auditedValue);
    },
    async found(kind) {
      return (await api.ask({ method: 'GET', path: '/v1/moves/findings', query: { kind } }, findingsAnswer)).findings;
    },
    // Who says so is who bears the token.
    discard(name, { server, dryRun, now, deleted, settled }) {
      const body = { name: textFromBytes(name), server, dry_run: dryRun, now, deleted, settled };
      return api.ask({ method: 'POST', path: '/v1/moves/discard', body }, discardValue);
    },
  };
}
