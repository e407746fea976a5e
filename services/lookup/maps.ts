// The maps there are, and how a question to each is answered: by the router that LMTP asks, too.
import { lowerCase, readable } from '../address/bytes.ts';
import type { Bytes } from '../address/bytes.ts';
import type { Path } from '../address/path.ts';
import type { RecipientSettings } from '../address/recipient.ts';
import type { Address, Registry } from '../backends/registry.ts';
import type { Route } from '../lmtp/router.ts';
import { mailboxAnswer, notFound, transportAnswer, userAnswer } from './answer.ts';
import { asked } from './key.ts';
import type { Answer, Request } from './socketmap.ts';

export const mapNames = ['mailbox', 'transport'] as const;
export type MapName = (typeof mapNames)[number];

/** What the map `transport` says. */
export interface TransportSettings {
  /** The name of the LMTP client in the MTA's master.cf. */
  service: string;
  /**
   * The domains it answers for, in lower case; none: there is no such map. Postfix asks it about every address, those of
   * other people's domains included, and without `virtdomains` the domain does not count: they would all be ours.
   */
  domains: ReadonlySet<Bytes>;
  /** Where role lmtp takes mail, for users whom their first message makes. */
  firstMessage: Address | undefined;
}

export interface MapsOptions {
  router: { route(path: Path): Route | Promise<Route> };
  registry: Registry;
  addresses: Pick<RecipientSettings, 'virtdomains' | 'lmtp_strict_rfc2821'>;
  transport: TransportSettings;
}

/** An answer, and what the log is told of it. */
export interface Answered {
  answer: Answer;
  /** Undefined where no such map is. */
  map: MapName | undefined;
  /** Empty where none was looked for. */
  mailbox: Bytes;
  reason: string;
}

export class Maps {
  readonly #options: MapsOptions;

  constructor(options: MapsOptions) {
    this.#options = options;
  }

  /** Never rejects. */
  async ask({ map, key }: Request): Promise<Answered> {
    const { addresses, transport } = this.#options;
    if (!isMap(map)) return refused(`there is no map ${readable(map)}: there are ${mapNames.join(' and ')}`);
    if (map === 'transport' && transport.domains.size === 0)
      return refused('the map transport answers for no domain: set lookup.transport.domains');
    const question = asked(key, addresses.lmtp_strict_rfc2821);
    if (question.about === 'nobody') return { answer: notFound, map, mailbox: '', reason: 'no address' };
    if (map === 'transport' && !this.#isOurs(question.path))
      return { answer: notFound, map, mailbox: '', reason: 'not our domain' };
    return this.#answered(map, question.about, await this.#options.router.route(question.path));
  }

  #answered(map: MapName, about: 'address' | 'user', { target, decision }: Route): Answered {
    const { addresses, transport } = this.#options;
    const { firstMessage } = transport;
    const found =
      map === 'mailbox'
        ? mailboxAnswer(decision, target.mailbox)
        : transportAnswer(decision, this.#way, firstMessage && transportText(transport.service, firstMessage));
    const answer = about === 'user' ? userAnswer(found, addresses.virtdomains) : found;
    const reason = decision.action === 'deliver' ? 'found' : decision.reason;
    return { answer, map, mailbox: target.mailbox, reason };
  }

  /** In this map a word without `@` is a domain: it is answered for none. */
  #isOurs({ domain }: Path): boolean {
    return domain !== undefined && this.#options.transport.domains.has(lowerCase(domain));
  }

  readonly #way = (server: Bytes): Bytes | undefined => {
    // A Postfix transport has room for one: the preferred.
    const address = this.#options.registry.find(server)?.lmtp?.addresses[0];
    return address && transportText(this.#options.transport.service, address);
  };
}

function isMap(name: Bytes): name is MapName {
  return (mapNames as readonly string[]).includes(name);
}

function refused(reason: string): Answered {
  const bytes = Buffer.from(reason, 'utf8').toString('latin1');
  return { answer: { status: 'PERM', reason: bytes }, map: undefined, mailbox: '', reason: 'no map' };
}

/** As transport(5) and lmtp(8) have it: `lmtp:inet:[host]:port`, the brackets for addresses of IPv6 too, or `lmtp:unix:/path`. */
export function transportText(service: string, address: Address): string {
  if ('path' in address) return `${service}:unix:${address.path}`;
  return `${service}:inet:[${address.host.replace(/^\[(.*)\]$/, '$1')}]:${address.port}`;
}
