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
  // RFC 5322 section 3.3, always in UTC; LMTP as a protocol name is registered by RFC 3848.
  const when = date.toUTCString().replace('GMT', '+0000');
  return Buffer.from(
    `Received: from ${lhlo} (${peer})\r\n\tby ${servername} (Rookery) with LMTP id ${id};\r\n\t${when}\r\n`,
  );
}
