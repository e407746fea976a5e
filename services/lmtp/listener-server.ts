// One address with its sessions: smtp-server's server, making sessions of ours.
import type { Socket } from 'node:net';
import type { SMTPConnectionOptions } from 'smtp-server/lib/smtp-connection';
import { SMTPServer } from 'smtp-server';
import type { ServerFacts, SessionHost } from './listener-facts.ts';
import { LmtpSession } from './listener-session.ts';
import { uniqueId } from './unique-id.ts';

export class LmtpServer extends SMTPServer implements SessionHost {
  readonly facts: ServerFacts;
  readonly mayOpen: () => boolean;
  closing = false;

  constructor(facts: ServerFacts, mayOpen: () => boolean) {
    super({
      name: facts.servername,
      lmtp: true,
      logger: false,
      disabledCommands: ['AUTH', 'STARTTLS'],
      disableReverseLookup: true,
      maxCommandLength: facts.settings.command_limit,
      socketTimeout: facts.settings.session_timeout,
      // A client that has said all it has to say may still hear its replies.
      allowHalfOpen: true,
      noDelay: true,
    });
    this.facts = facts;
    this.mayOpen = mayOpen;
    // Without a listener the first failed accept (EMFILE) would end the process.
    this.on('error', (error: unknown) => {
      facts.log.error({ err: error }, 'LMTP listener failed');
    });
  }

  override connect(socket: Socket, options?: SMTPConnectionOptions | null): void {
    const session = new LmtpSession(this, socket, options?.id ?? uniqueId(), this);
    this.connections.add(session);
    session.init();
  }

  /** smtp-server's own draws a random name and waits a turn of the event loop, for the PROXY header that we do not read. */
  override _handleProxy(_socket: Socket, callback: (error: Error | null, options?: { id: string }) => void): void {
    callback(null, { id: uniqueId() });
  }

  /** Stops accepting. Sessions end when what is under way in them has been answered, the last after `graceMs`. */
  async end(graceMs: number): Promise<void> {
    this.closing = true;
    const sessions = [...this.connections] as LmtpSession[];
    const ended = new Promise<void>((resolve) => {
      this.server.close(() => {
        resolve();
      });
    });
    for (const session of sessions) session.drain();
    const timer = setTimeout(() => {
      for (const session of sessions) session._socket.destroy();
    }, graceMs);
    await ended;
    clearTimeout(timer);
  }
}
