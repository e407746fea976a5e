// The way from an address to a reply, in sentences: the same steps, by the same functions, as a delivery takes.
import { readable } from '../address/bytes.ts';
import { parsePath } from '../address/path.ts';
import { targetOf } from '../address/recipient.ts';
import type { Registry } from '../backends/registry.ts';
import { addressText } from '../backends/registry.ts';
import type { Config } from '../config/schema.ts';
import type { Directory, Lookup } from '../directory/directory.ts';
import { serverOf } from '../directory/entry.ts';
import type { Bytes, Entry } from '../directory/entry.ts';
import { finding, unheard } from '../directory/freshness.ts';
import { recipientOk } from '../lmtp/reply-codes.ts';
import { wireText } from '../lmtp/reply.ts';
import { decide, unasked, unknown } from '../lmtp/routing.ts';
import type { Decision } from '../lmtp/routing.ts';
import { registryOf } from '../process/settings.ts';
import { stateText } from './entry-view.ts';
import { CommandError, exit } from './exit-codes.ts';

export interface Route {
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

function rowStep(entry: Entry | undefined): string {
  if (!entry) return 'directory: no row of this name';
  return `directory: ${stateText(entry)} at ${readable(entry.location)} (version ${entry.version})`;
}

function trustStep({ standing }: Lookup, required: readonly Bytes[]): string {
  if (standing.epoch < 1) return 'trust: the directory has lost its data, absence is no proof';
  if (standing.vouched) return `trust: an operator vouches for epoch ${standing.epoch}, absence is proof`;
  const silent = unheard(standing, required);
  if (silent.length === 0)
    return `trust: all backends that push were heard in epoch ${standing.epoch}, absence is proof`;
  return `trust: not heard from ${silent.map(readable).join(', ')} in epoch ${standing.epoch}, absence is no proof`;
}

function backendStep(server: Bytes, registry: Registry): string {
  const backend = registry.find(server);
  if (!backend) return `backend: ${readable(server)} is not in the configuration`;
  if (!backend.lmtp) return `backend: ${readable(server)} has no lmtp in the configuration`;
  const { address, username } = backend.lmtp;
  return `backend: ${readable(server)} by LMTP at ${addressText(address)}${username === undefined ? '' : `, as ${username}`}`;
}

/** Asks the directory for the name and decides, as the proxy would; the steps taken are added to `steps`. */
async function decision(mailbox: Bytes, directory: Directory, registry: Registry, steps: string[]): Promise<Decision> {
  if (mailbox === '') return unknown;
  let lookup: Lookup;
  try {
    lookup = await directory.lookup([mailbox]);
  } catch (error) {
    steps.push(`directory: could not be asked: ${String(error)}`);
    return unasked;
  }
  const [entry] = lookup.entries;
  steps.push(rowStep(entry), trustStep(lookup, registry.pushing()));
  if (entry?.state === 'active') steps.push(backendStep(serverOf(entry.location), registry));
  return decide(entry, finding(lookup, registry.pushing()), (server) => registry.find(server)?.lmtp !== undefined);
}

/** What would become of a recipient. Throws 65 when the address is none. */
export async function explainRoute(address: Bytes, directory: Directory, config: Config): Promise<Route> {
  const bracketed = address.startsWith('<') ? address : `<${address}>`;
  const parsed = parsePath(bracketed, config.lmtp.lmtp_strict_rfc2821);
  if ('error' in parsed) throw new CommandError(exit.data, `${readable(address)} is no address: ${parsed.error}`);
  if (parsed.rest !== '') throw new CommandError(exit.data, `${readable(address)} is more than an address`);
  const target = targetOf(parsed.path, config.lmtp);
  const steps = [...target.steps];
  const made = await decision(target.mailbox, directory, registryOf(config), steps);
  const reply = wireText(made.action === 'deliver' ? recipientOk : made.reply).trimEnd();
  steps.push(
    made.action === 'deliver'
      ? `decision: deliver to ${readable(made.server)}`
      : `decision: ${made.action}: ${made.reason}`,
  );
  steps.push(`reply: ${readable(reply)}`);
  return {
    ...{
      address: readable(address),
      steps,
      action: made.action,
      mailbox: readable(target.mailbox),
      reply: readable(reply),
    },
    ...(made.action === 'deliver' ? { server: readable(made.server) } : { reason: made.reason }),
  };
}
