// Stands between two Cyrus backends, and falls silent in the middle of an XFER, at a moment that the test chooses.
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import type { Server, Socket } from 'node:net';
import { join } from 'node:path';
import type { CyrusNode } from './cyrus.ts';

export class XferRelay {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #restore: (() => Promise<void>) | undefined;
  /** True from the moment on when nothing was passed on any more. */
  silent = false;

  private constructor(to: CyrusNode, silence: () => Promise<boolean>) {
    this.#server = createServer((near) => {
      const far = connect(to.imap);
      this.#pair(near, far);
      far.on('data', (bytes) => this.silent || near.write(bytes));
      near.on('data', (bytes) => {
        near.pause();
        void silence().then((fallsSilent) => {
          this.silent ||= fallsSilent;
          if (!this.silent) far.write(bytes);
          near.resume();
        });
      });
    });
  }

  /** `from` finds the relay by the name of `to`. Before each thing that `from` says, `silence` is asked. */
  static async between(from: CyrusNode, to: CyrusNode, silence: () => Promise<boolean>): Promise<XferRelay> {
    const relay = new XferRelay(to, silence);
    const host = hostBetween(to);
    relay.#server.listen(to.imap.port, host);
    await once(relay.#server, 'listening');
    relay.#restore = await findAt(from, to, host);
    return relay;
  }

  /** From now on `from` finds `to` itself again. */
  async restoreNames(): Promise<void> {
    await this.#restore?.();
  }

  close(): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  #pair(near: Socket, far: Socket): void {
    for (const [socket, other] of [
      [near, far],
      [far, near],
    ] satisfies [Socket, Socket][]) {
      this.#sockets.add(socket);
      socket.on('error', () => undefined);
      socket.on('close', () => {
        this.#sockets.delete(socket);
        other.destroy();
      });
    }
  }
}

/** Where somebody may listen in the place of `to`: no node of a Murder has this number in its network. */
export function hostBetween(to: CyrusNode): string {
  return to.imap.host.replace(/\d+$/, '99');
}

/** From now on `from` finds there what has the name of `to`. Gives what undoes it. */
export async function findAt(from: CyrusNode, to: CyrusNode, host: string): Promise<() => Promise<void>> {
  // Written in place: the file is mounted in the node's view.
  const hosts = join(from.folder, 'etc/hosts');
  const before = await readFile(hosts, 'utf8');
  const lines = before.split('\n');
  await writeFile(hosts, lines.map((line) => (line.endsWith(` ${to.name}`) ? `${host} ${to.name}` : line)).join('\n'));
  return () => writeFile(hosts, before);
}

/** Ends the imapd that does an XFER as a crash would; throws when there is not one such process. */
export async function killXfer({ name, folder }: CyrusNode): Promise<void> {
  const register = join(folder, 'run/proc');
  const busy: string[] = [];
  for (const pid of await readdir(register)) {
    // One that was killed leaves its entry behind.
    const lives = existsSync(`/proc/${pid}`);
    if (lives && /\tXfer$/m.test(await readFile(join(register, pid), 'latin1'))) busy.push(pid);
  }
  const [pid, ...others] = busy;
  if (pid === undefined || others.length > 0)
    throw new Error(`${busy.length} processes of ${name} do an XFER, not one`);
  process.kill(Number(pid), 'SIGKILL');
}
