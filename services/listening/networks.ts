// A set of IP networks: who is believed by where he comes from.
import { BlockList, isIP } from 'node:net';
import { hostAddress } from './host-address.ts';

/** Whether the text is an address (`10.0.0.1`, `::1`) or a network (`10.0.0.0/8`, `fd00::/8`). */
export function isNetwork(text: string): boolean {
  const [address = '', length, ...more] = text.split('/');
  const version = isIP(address);
  if (version === 0 || address.includes('%') || more.length > 0) return false;
  return length === undefined || (/^\d{1,3}$/.test(length) && Number(length) <= (version === 4 ? 32 : 128));
}

/** So many answers are remembered; then all are forgotten. */
const mostRemembered = 1000;

export class Networks {
  readonly #list = new BlockList();
  /** Asked for each message: a list that is empty costs nothing, and the MTAs in front are the same ones all day. */
  readonly #empty: boolean;
  readonly #known = new Map<string, boolean>();

  /** Each as isNetwork has it. */
  constructor(networks: readonly string[]) {
    this.#empty = networks.length === 0;
    for (const network of networks) {
      const [address = '', length] = network.split('/');
      const kind = isIP(address) === 6 ? 'ipv6' : 'ipv4';
      this.#list.addSubnet(address, length === undefined ? (kind === 'ipv6' ? 128 : 32) : Number(length), kind);
    }
  }

  /** False for what is no address, such as the empty one of a Unix socket's client. */
  has(address: string): boolean {
    if (this.#empty) return false;
    const remembered = this.#known.get(address);
    if (remembered !== undefined) return remembered;
    const known = hostAddress(address);
    const has = known !== undefined && this.#list.check(known, isIP(known) === 6 ? 'ipv6' : 'ipv4');
    if (this.#known.size >= mostRemembered) this.#known.clear();
    this.#known.set(address, has);
    return has;
  }
}
