// The PROXY protocol, version 1 (haproxy's proxy-protocol.txt, section 2.1): who the client is behind a proxy.
import { isIPv4, isIPv6, type Socket } from 'node:net';

/** The longest header, its line end included. */
const longest = 107;

/** What a header tells: the client; `unknown` where the proxy does not know, or connects for itself (health checks). */
export type Proxied = { client: string } | 'unknown';

/** Reads a header, without its line end; undefined when it is none. */
export function parseProxyHeader(line: string): Proxied | undefined {
  // Whatever stands behind UNKNOWN is to be ignored.
  if (/^PROXY UNKNOWN(?: .*)?$/.test(line)) return 'unknown';
  const [, family, source = '', destination = '', from = '', to = ''] =
    /^PROXY (TCP[46]) ([0-9A-Fa-f.:]+) ([0-9A-Fa-f.:]+) (0|[1-9]\d{0,4}) (0|[1-9]\d{0,4})$/.exec(line) ?? [];
  if (family === undefined || Number(from) > 65_535 || Number(to) > 65_535) return undefined;
  const fits = family === 'TCP4' ? isIPv4 : isIPv6;
  return fits(source) && fits(destination) ? { client: source } : undefined;
}

/**
 * Takes the header off a connection that has just been accepted; what follows it stays to be read. Undefined when it is
 * none, does not come within `patience` milliseconds, or the proxy is gone.
 */
export function readProxyHeader(socket: Socket, patience: number): Promise<Proxied | undefined> {
  return new Promise((resolve) => {
    let head = Buffer.alloc(0);
    const done = (found: Proxied | undefined): void => {
      clearTimeout(timer);
      socket.off('readable', read).off('end', fail).off('close', fail).off('error', fail);
      // A late error of a connection that is given up is nobody's.
      if (found === undefined) socket.on('error', () => undefined);
      resolve(found);
    };
    const fail = (): void => {
      done(undefined);
    };
    const read = (): void => {
      for (;;) {
        const chunk = socket.read() as Buffer | null;
        if (chunk === null) return;
        head = Buffer.concat([head, chunk]);
        const end = head.indexOf('\r\n');
        if (end >= 0 && end + 2 <= longest) {
          const found = parseProxyHeader(head.toString('latin1', 0, end));
          const rest = head.subarray(end + 2);
          if (found !== undefined && rest.length > 0) socket.unshift(rest);
          done(found);
          return;
        }
        // The signature of version 2 ends up here, too: it begins with a line end.
        if (end >= 0 || head.length >= longest) {
          fail();
          return;
        }
      }
    };
    const timer = setTimeout(fail, patience);
    socket.on('readable', read).on('end', fail).on('close', fail).on('error', fail);
  });
}
