// One address with its sessions: smtp-server's server, making sessions of ours.
import type { Socket } from 'node:net';
import { SMTPServer } from 'smtp-server';
import type { ServerFacts, SessionHost } from './listener-facts.ts';
import { readProxyHeader } from './listener-proxy.ts';
import { LmtpSession } from './listener-session.ts';
import { tlsOptions } from './listener-tls.ts';
import { notAProxy } from './reply-codes.ts';
import { wireText } from './reply.ts';
import type { Certificate, Door } from './settings.ts';
import { uniqueId } from './unique-id.ts';

export class LmtpServer extends SMTPServer implements SessionHost {
  readonly facts: Readonly<ServerFacts>;
  readonly mayOpen: () => boolean;
  readonly door: Door;
  closing = false;
  /** Sessions that are not over: a server counts as closed while the last of them still learns of it. */
  #open = 0;
  #allOver: () => void = () => undefined;
  readonly #answering = new Set<Promise<void>>();
  /** Connections whose PROXY header is waited for. */
  readonly #unread = new Set<Socket>();

  constructor(facts: Readonly<ServerFacts>, mayOpen: () => boolean, door: Door) {
    super({
      name: facts.servername,
      lmtp: true,
      logger: false,
      disableReverseLookup: true,
      maxCommandLength: facts.settings.command_limit,
      socketTimeout: facts.settings.session_timeout,
      // A client that has said all it has to say may still hear its replies.
      allowHalfOpen: true,
      noDelay: true,
      // With needsUpgrade a session does the handshake itself, and is counted and ended as any other meanwhile.
      ...(door.tls === 'implicit' && { secure: true, needsUpgrade: true }),
      ...tlsOptions(door.certificate),
    });
    this.facts = facts;
    this.mayOpen = mayOpen;
    this.door = door;
    // Without a listener the first failed accept (EMFILE) would end the process.
    this.on('error', (error: unknown) => {
      facts.log.error({ err: error }, 'LMTP listener failed');
    });
  }

  /** Sessions, and connections that will be. */
  get sessions(): number {
    return this.connections.size + this.#unread.size;
  }

  /** The session whose client has kept silent for the longest time although it is its turn. */
  get mostSilent(): LmtpSession | undefined {
    let longest: LmtpSession | undefined;
    for (const session of [...this.connections] as LmtpSession[]) {
      if ((session.silentSince ?? Infinity) < (longest?.silentSince ?? Infinity)) longest = session;
    }
    return longest;
  }

  /** Takes on what has changed in the facts, and a new certificate; for sessions to come. */
  reload(certificate: Certificate | undefined): void {
    this.options.maxCommandLength = this.facts.settings.command_limit;
    this.options.socketTimeout = this.facts.settings.session_timeout;
    if (certificate !== undefined) this.updateSecureContext(tlsOptions(certificate));
  }

  override connect(
    socket: Socket,
    about?: { id?: string | undefined; remoteAddress?: string | undefined } | null,
  ): void {
    const { id = uniqueId(), remoteAddress } = about ?? {};
    const session = new LmtpSession(this, socket, { id, ...(remoteAddress !== undefined && { remoteAddress }) }, this);
    this.connections.add(session);
    this.#open++;
    session.init();
  }

  /** smtp-server's own draws a random name, waits a turn of the event loop, and takes much for a PROXY header. */
  override _handleProxy(
    socket: Socket,
    callback: (error: Error | null, about?: { id: string; remoteAddress?: string }) => void,
  ): void {
    if (!this.door.proxy_protocol) {
      callback(null, { id: uniqueId() });
      return;
    }
    void this.#clientOf(socket).then((about) => {
      if (about !== undefined) callback(null, { id: uniqueId(), ...about });
    });
  }

  /** Whom a proxy connects for; undefined when its connection has been ended. */
  async #clientOf(socket: Socket): Promise<{ remoteAddress?: string } | undefined> {
    const { settings, log } = this.facts;
    const proxy = socket.remoteAddress ?? '';
    if (proxy !== '' && !settings.proxy_networks.has(proxy)) {
      log.warn({ event: 'refused', client: proxy }, 'not one of lmtp.proxy_networks');
      socket.on('error', () => undefined);
      socket.end(wireText(notAProxy), () => socket.destroy());
      return undefined;
    }
    this.#unread.add(socket);
    const found = this.mayOpen() ? await readProxyHeader(socket, settings.handshake_timeout) : undefined;
    this.#unread.delete(socket);
    if (found === undefined) {
      log.info({ event: 'refused', client: proxy }, 'no PROXY header');
      socket.destroy();
      return undefined;
    }
    return found === 'unknown' ? {} : { remoteAddress: found.client };
  }

  over(): void {
    if (--this.#open === 0) this.#allOver();
  }

  answering(message: Promise<void>): void {
    this.#answering.add(message);
    void message.then(() => this.#answering.delete(message));
  }

  /** Resolves when no message waits for its replies. */
  async answered(): Promise<void> {
    await Promise.all(this.#answering);
  }

  /** Stops accepting. Sessions end when what is under way in them has been answered, the last after `graceMs`. */
  async end(graceMs: number): Promise<void> {
    this.closing = true;
    for (const socket of this.#unread) socket.destroy();
    const sessions = [...this.connections] as LmtpSession[];
    const ended = new Promise<void>((resolve) => {
      this.server.close(() => {
        resolve();
      });
    });
    for (const session of sessions) session.drain();
    const timer = setTimeout(() => {
      for (const session of sessions) session.cutOff();
    }, graceMs);
    await ended;
    if (this.#open > 0) await new Promise<void>((resolve) => (this.#allOver = resolve));
    clearTimeout(timer);
  }
}
