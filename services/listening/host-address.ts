// The address of a host, in the one spelling by which two can be compared.
import { isIP, SocketAddress } from 'node:net';

/**
 * An IPv4 or IPv6 address as the system writes it; undefined for anything else. IPv4 seen through an IPv6 socket
 * (`::ffff:10.0.0.1`) is the IPv4 address, for what a listener is bound to says nothing about who calls.
 */
export function hostAddress(text: string): string | undefined {
  const version = isIP(text);
  if (version !== 6) return version === 4 ? text : undefined;
  const [address = '', zone] = text.split('%');
  const written = new SocketAddress({ address, family: 'ipv6' }).address;
  const mapped = /^::ffff:([\d.]+)$/.exec(written)?.[1];
  return mapped ?? (zone === undefined ? written : `${written}%${zone}`);
}
