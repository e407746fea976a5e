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
import { readMail } from '../lmtp/listener-commands.ts';
import { recipientOk, tooBig } from '../lmtp/reply-codes.ts';
import { wireText, type Reply } from '../lmtp/reply.ts';
import { Router } from '../lmtp/router.ts';
import type { Look } from '../lmtp/router.ts';
import type { Decision } from '../lmtp/routing.ts';
import type { LmtpSettings } from '../lmtp/settings.ts';
import { Refusal } from './refusal.ts';
import { stateText } from './state-text.ts';

export const routeValue = z
  .object({
    address: z.string(),
    steps: z.array(z.string()).meta({ description: 'The way from the address to the reply, in sentences.' }),
    action: z.enum(['deliver', 'defer', 'reject']),
    mailbox: z.string(),
    reply: z.string().meta({
      description:
        'The reply to RCPT TO, as it would be sent; to MAIL where that is refused, and after the message where it is too large for the backend (552, in words of its own).',
    }),
    server: z.string().optional().meta({ description: 'Where it would be delivered; left out when it is not.' }),
    reason: z.string().optional().meta({ description: 'Why it is not delivered; left out when it is.' }),
  })
  .meta({ id: 'Route', description: 'What would become of a message to a recipient.' });

export type RouteValue = z.output<typeof routeValue>;

/** What is known of a message that would be sent. */
export interface MessageAsked {
  /** The user of MAIL's AUTH=; left out: nobody in particular. */
  poster?: Bytes | undefined;
  /** Of MAIL, with or without angle brackets; empty for the null sender. */
  sender?: Bytes | undefined;
  /** In octets. */
  size?: number | undefined;
}

/** All reject with a Refusal. */
export interface RouteOperations {
  /** What would become of a message to a recipient. Refused where the recipient's address, or the sender's, is none. */
  explain(address: Bytes, message?: MessageAsked): Promise<RouteValue>;
}

export interface RouteSettings {
  addresses: RecipientSettings & FallbackSettings;
  /** What a listener takes of MAIL. */
  mail: LmtpSettings;
  /** How long a lookup may take, in milliseconds. */
  patience: number;
  /** The largest message that a backend announces, in octets; undefined where it announces none. Rejects when it can't be asked. */
  offeredSize: (server: Bytes) => Promise<number | undefined>;
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

/** What is found out besides the route, and what it changes. */
interface Said {
  steps: string[];
  /** Undefined where nothing stands in the way. */
  decision?: Decision;
}

const nothing: Said = { steps: [] };

function refusal(reply: Reply, reason: string): Decision {
  return { action: 'reject', reply, reason };
}

/** MAIL, as a listener reads it. */
function mailSteps({ sender, size }: MessageAsked, mail: LmtpSettings): Said {
  if (sender === undefined && size === undefined) return nothing;
  const path = pathOf(sender ?? '', false);
  const utf8 = mail.smtputf8 && /[\x80-\xff]/.test(path.raw) ? ' SMTPUTF8' : '';
  const read = readMail(`MAIL FROM:<${path.raw}>${size === undefined ? '' : ` SIZE=${size}`}${utf8}`, mail, true);
  const steps = [
    ...(sender === undefined ? [] : [`sender: ${senderText(path, utf8)}`]),
    ...(size === undefined ? [] : [sizeText(size, mail.size_limit)]),
  ];
  if (!('refusal' in read)) return { steps };
  return { steps, decision: refusal(read.refusal, read.refusal.code === 552 ? 'size' : 'sender') };
}

function senderText({ raw }: Path, utf8: Bytes): string {
  if (raw === '') return 'the null sender, of bounces and the like';
  return `${readable(raw)}${utf8 === '' ? '' : ', by SMTPUTF8'}; what it may do is judged by AUTH=, not by the sender`;
}

function sizeText(size: number, limit: number): string {
  if (limit === 0) return `size: ${size} octets, without a limit of ours`;
  return `size: ${size} octets, our limit is ${limit}`;
}

/** What the backend takes; whether the mailbox has room for it is known to nobody but the backend. */
async function backendSizeSteps(size: number, decision: Decision, { offeredSize }: RouteSettings): Promise<Said> {
  if (decision.action !== 'deliver') return nothing;
  const name = readable(decision.server);
  try {
    const limit = await offeredSize(decision.server);
    const quota = 'whether the mailbox has room for it, only the backend can tell';
    if (limit === undefined) return { steps: [`size: ${name} announces no limit; ${quota}`] };
    if (size <= limit) return { steps: [`size: ${name} takes up to ${limit} octets; ${quota}`] };
    const step = `size: ${name} takes no more than ${limit} octets: RCPT is answered 250, and the message refused`;
    return { steps: [step], decision: refusal(tooBig(limit), 'size') };
  } catch (error) {
    return { steps: [`size: ${name} could not be asked what it takes: ${readable((error as Error).message)}`] };
  }
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
  settings: RouteSettings,
): RouteOperations {
  const { addresses, mail, patience } = settings;
  const router = new Router(patient(directory, patience), registry, addresses);
  return {
    async explain(address, message = {}) {
      const { poster = anonymous, size } = message;
      const path = pathOf(address, addresses.lmtp_strict_rfc2821);
      const offered = mailSteps(message, mail);
      const route = await router.route(path, { poster });
      const asks = size !== undefined && offered.decision === undefined;
      const there = asks ? await backendSizeSteps(size, route.decision, settings) : nothing;
      const decision = offered.decision ?? there.decision ?? route.decision;
      const looks = route.tried.flatMap((look) => lookSteps(look, poster, registry));
      const reply = replyOf(decision);
      return {
        address: readable(address),
        steps: [...offered.steps, ...looks, ...there.steps, `decision: ${decisionText(decision)}`, `reply: ${reply}`],
        ...{ action: decision.action, mailbox: readable(route.target.mailbox), reply },
        ...(decision.action === 'deliver' ? { server: readable(decision.server) } : { reason: decision.reason }),
      };
    },
  };
}

function decisionText(decision: Decision): string {
  if (decision.action === 'deliver') return `deliver to ${readable(decision.server)}`;
  return `${decision.action}: ${decision.reason}`;
}
