// The way from an address to a reply, in sentences: what the proxy's own router found, step by step.
import { z } from 'zod';
import { readable } from '../address/bytes.ts';
import { parsePath } from '../address/path.ts';
import type { Path } from '../address/path.ts';
import type { FallbackSettings, RecipientSettings } from '../address/recipient.ts';
import type { Registry } from '../backends/registry.ts';
import { addressText } from '../backends/registry.ts';
import type { Directory } from '../directory/directory.ts';
import { accessOf, anonymous } from '../directory/access.ts';
import { serverOf } from '../directory/entry.ts';
import type { Bytes, Entry } from '../directory/entry.ts';
import { patient } from '../directory/patience.ts';
import { recipientOk } from '../lmtp/reply-codes.ts';
import { wireText } from '../lmtp/reply.ts';
import { Router } from '../lmtp/router.ts';
import type { Look } from '../lmtp/router.ts';
import type { Decision } from '../lmtp/routing.ts';
import { Refusal } from './refusal.ts';
import { stateText } from './state-text.ts';

export const routeValue = z
  .object({
    address: z.string(),
    steps: z.array(z.string()).meta({ description: 'The way from the address to the reply, in sentences.' }),
    action: z.enum(['deliver', 'defer', 'reject']),
    mailbox: z.string(),
    reply: z.string().meta({ description: 'The reply to RCPT TO, as it would be sent.' }),
    server: z.string().optional().meta({ description: 'Where it would be delivered; left out when it is not.' }),
    reason: z.string().optional().meta({ description: 'Why it is not delivered; left out when it is.' }),
  })
  .meta({ id: 'Route', description: 'What would become of a message to a recipient.' });

export type RouteValue = z.output<typeof routeValue>;

/** All reject with a Refusal. */
export interface RouteOperations {
  /** What would become of a recipient; `poster` is the user of MAIL's AUTH=. Refused where the address is none. */
  explain(address: Bytes, poster?: Bytes): Promise<RouteValue>;
}

/** `patience`: how long a lookup may take, in milliseconds. */
export interface RouteSettings {
  addresses: RecipientSettings & FallbackSettings;
  patience: number;
}

function backendStep(server: Bytes, registry: Registry): string {
  const backend = registry.find(server);
  if (!backend) return `backend: ${readable(server)} is not in the configuration`;
  if (!backend.lmtp) return `backend: ${readable(server)} has no lmtp in the configuration`;
  if (registry.isFenced(server)) return `backend: ${readable(server)} is fenced: nothing is delivered there`;
  const { addresses, username } = backend.lmtp;
  const places = addresses.map(addressText).join(', else ');
  return `backend: ${readable(server)} by LMTP at ${places}${username === undefined ? '' : `, as ${username}`}`;
}

/** What was asked of the directory, and what its answer is worth. */
function directorySteps({ entry, finding, failure }: Look, registry: Registry): string[] {
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

/** One mailbox that the address may mean: what it is, what the directory has of it, and who may post there. */
function lookSteps(look: Look, poster: Bytes, registry: Registry): string[] {
  const { target, entry } = look;
  const steps = [...target.steps, ...directorySteps(look, registry)];
  if (target.shared && entry?.state === 'active') steps.push(accessStep(entry, poster, registry));
  return steps;
}

function accessStep({ acl, location }: Entry, poster: Bytes, registry: Registry): string {
  const server = serverOf(location);
  if (registry.find(server)?.mupdate === false) return `rights: ${readable(server)} is to judge, it does not tell them`;
  const access = accessOf(acl, poster);
  const verdict = access.may ? 'may post' : access.sees ? 'may not post' : 'may not even see it';
  return `rights: ${readable(poster)} ${verdict} (ACL: ${acl === '' ? 'empty' : readable(acl.trimEnd().replaceAll('\t', ' '))})`;
}

function replyOf(decision: Decision): string {
  return readable(wireText(decision.action === 'deliver' ? recipientOk : decision.reply).trimEnd());
}

function pathOf(address: Bytes, strict: boolean): Path {
  const bracketed = address.startsWith('<') ? address : `<${address}>`;
  const parsed = parsePath(bracketed, strict);
  if ('error' in parsed) throw new Refusal('data', `${readable(address)} is no address: ${parsed.error}`);
  if (parsed.rest !== '') throw new Refusal('data', `${readable(address)} is more than an address`);
  return parsed.path;
}

export function routeOperations(
  directory: Pick<Directory, 'lookup' | 'nearby'>,
  registry: Registry,
  { addresses, patience }: RouteSettings,
): RouteOperations {
  const router = new Router(patient(directory, patience), registry, addresses);
  return {
    async explain(address, poster = anonymous) {
      const route = await router.route(pathOf(address, addresses.lmtp_strict_rfc2821), { poster });
      const { decision, target } = route;
      const deliver = decision.action === 'deliver';
      const made = deliver ? `deliver to ${readable(decision.server)}` : `${decision.action}: ${decision.reason}`;
      const reply = replyOf(decision);
      return {
        address: readable(address),
        steps: [
          ...route.tried.flatMap((look) => lookSteps(look, poster, registry)),
          `decision: ${made}`,
          `reply: ${reply}`,
        ],
        ...{ action: decision.action, mailbox: readable(target.mailbox), reply },
        ...(deliver ? { server: readable(decision.server) } : { reason: decision.reason }),
      };
    },
  };
}
