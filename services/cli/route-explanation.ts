// The way from an address to a reply, in sentences: what the proxy's own router found, step by step.
import { readable } from '../address/bytes.ts';
import { parsePath } from '../address/path.ts';
import type { Path } from '../address/path.ts';
import type { Registry } from '../backends/registry.ts';
import { addressText } from '../backends/registry.ts';
import type { Config } from '../config/schema.ts';
import type { Directory } from '../directory/directory.ts';
import { serverOf } from '../directory/entry.ts';
import type { Bytes } from '../directory/entry.ts';
import { recipientOk } from '../lmtp/reply-codes.ts';
import { wireText } from '../lmtp/reply.ts';
import { Router } from '../lmtp/router.ts';
import type { Route } from '../lmtp/router.ts';
import type { Decision } from '../lmtp/routing.ts';
import { directoryPatience, registryOf } from '../process/settings.ts';
import { stateText } from './entry-view.ts';
import { CommandError, exit } from './exit-codes.ts';

export interface Explanation {
  address: string;
  steps: string[];
  action: Decision['action'];
  /** Why it is not delivered; left out when it is. */
  reason?: string;
  mailbox: string;
  /** Where it would be delivered; left out when it is not. */
  server?: string;
  /** The reply to RCPT TO, as it would be sent. */
  reply: string;
}

function backendStep(server: Bytes, registry: Registry): string {
  const backend = registry.find(server);
  if (!backend) return `backend: ${readable(server)} is not in the configuration`;
  if (!backend.lmtp) return `backend: ${readable(server)} has no lmtp in the configuration`;
  const { address, username } = backend.lmtp;
  return `backend: ${readable(server)} by LMTP at ${addressText(address)}${username === undefined ? '' : `, as ${username}`}`;
}

/** What was asked of the directory, and what its answer is worth. */
function directorySteps({ entry, finding, failure }: Route, registry: Registry): string[] {
  if (failure !== undefined) return [`directory: could not be asked: ${failure}`];
  if (finding === undefined) return []; // no name that could have been asked for
  if (entry) {
    const row = `directory: ${stateText(entry)} at ${readable(entry.location)} (version ${entry.version})`;
    return entry.state === 'active' ? [row, backendStep(serverOf(entry.location), registry)] : [row];
  }
  const proven = finding.found || finding.proven;
  const worth = proven
    ? 'absence is proof: every backend that pushes was heard, or an operator vouches'
    : finding.reason;
  return ['directory: no row of this name', `trust: ${worth}`];
}

function replyOf(decision: Decision): string {
  return readable(wireText(decision.action === 'deliver' ? recipientOk : decision.reply).trimEnd());
}

function pathOf(address: Bytes, config: Config): Path {
  const bracketed = address.startsWith('<') ? address : `<${address}>`;
  const parsed = parsePath(bracketed, config.lmtp.lmtp_strict_rfc2821);
  if ('error' in parsed) throw new CommandError(exit.data, `${readable(address)} is no address: ${parsed.error}`);
  if (parsed.rest !== '') throw new CommandError(exit.data, `${readable(address)} is more than an address`);
  return parsed.path;
}

/** What would become of a recipient. Throws 65 when the address is none. */
export async function explainRoute(address: Bytes, directory: Directory, config: Config): Promise<Explanation> {
  const registry = registryOf(config);
  const route = await new Router(directory, registry, config.lmtp, directoryPatience(config)).route(
    pathOf(address, config),
  );
  const { decision, target } = route;
  const deliver = decision.action === 'deliver';
  const made = deliver ? `deliver to ${readable(decision.server)}` : `${decision.action}: ${decision.reason}`;
  const reply = replyOf(decision);
  return {
    address: readable(address),
    steps: [...target.steps, ...directorySteps(route, registry), `decision: ${made}`, `reply: ${reply}`],
    ...{ action: decision.action, mailbox: readable(target.mailbox), reply },
    ...(deliver ? { server: readable(decision.server) } : { reason: decision.reason }),
  };
}
