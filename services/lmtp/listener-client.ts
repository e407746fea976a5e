// What a session knows of its client: what it has said of itself, and of the messages to come.
import type { Bytes } from '../directory/entry.ts';
import type { SessionFacts } from './message-handler.ts';
import { noAttributes, type Attributes } from './listener-xforward.ts';

/** Made anew when TLS begins: nothing that was said before counts then (RFC 3207 section 4.2). */
export class Client {
  /** The argument of LHLO; undefined before it. */
  lhlo: Bytes | undefined;
  /** Whom it has proved to be. */
  user: string | undefined;
  traceId: Bytes = '';
  /** Of the next transaction, or the one that is open. */
  xforward: Attributes = noAttributes;

  /** The transaction is over, or there is none. */
  forget(): void {
    this.xforward = noAttributes;
  }

  facts(session: Pick<SessionFacts, 'id' | 'client' | 'tls' | 'gone'>): SessionFacts {
    const { lhlo = '', user, traceId, xforward } = this;
    return { ...session, lhlo, user, mtaQueueId: xforward.get('IDENT') ?? '', traceId, xforward };
  }
}
