// A set of IP networks: who is believed by where he comes from.
import { BlockList, isIP } from 'node:net';
import { hostAddress } from '../backends/host-address.ts';

/** Whether the text is an address (`10.0.0.1`, `::1`) or a network (`10.0.0.0/8`, `fd00::/8`). */
export function isNetwork(text: string): boolean {
  const [address = '', length, ...more] = text.split('/');
  const version = isIP(address);
  if (version === 0 || address.includes('%') || more.length > 0) return false;
  return length === undefined || (/^\d{1,3}$/.test(length) && Number(length) <= (version === 4 ? 32 : 128));
}

export class Networks {
  readonly #list = new BlockList();
  /** Asked for once a session: a list that is empty costs nothing. */
  readonly #empty: boolean;

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
    const known = this.#empty ? undefined : hostAddress(address);
    return known !== undefined && this.#list.check(known, isIP(known) === 6 ? 'ipv6' : 'ipv4');
  }
}
