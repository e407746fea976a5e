// Our own Received line, the one thing that is added to a message (RFC 5321 section 4.4).
import type { SessionFacts } from './message-handler.ts';

/**
 * The line, with its end, folded. `id` names the transaction in our log. Values from the client are cut down to what may
 * stand there; there is no FOR clause, since it would tell one recipient of another.
 */
export function receivedLine(session: SessionFacts, servername: string, id: string, date: Date): Buffer {
  const lhlo = session.lhlo.replace(/[^A-Za-z0-9._:[\]-]/g, '?');
  const { client } = session;
  const peer = client === '' ? 'unix socket' : client.includes(':') ? `[IPv6:${client}]` : `[${client}]`;
  // RFC 5322 section 3.3, always in UTC; the protocol's names are registered by RFC 3848.
  const when = date.toUTCString().replace('GMT', '+0000');
  const protocol = `LMTP${session.tls ? 'S' : ''}${session.user === undefined ? '' : 'A'}`;
  return Buffer.from(
    `Received: from ${lhlo} (${peer})\r\n\tby ${servername} (Rookery) with ${protocol} id ${id};\r\n\t${when}\r\n`,
  );
}
