// A Unix socket that a process left behind when it was killed: removed, if it is one and nobody listens at it.
import { lstat, unlink } from 'node:fs/promises';
import { connect } from 'node:net';

/** Makes way for a listener at the path; does nothing where there is something else, or somebody listens. */
export async function clearStaleSocket(path: string): Promise<void> {
  const found = await lstat(path).catch(() => undefined);
  if (found?.isSocket() === true && (await isDead(path))) await unlink(path);
}

function isDead(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once('connect', () => {
      socket.destroy();
      resolve(false);
    });
    socket.once('error', (error: NodeJS.ErrnoException) => {
      resolve(error.code === 'ECONNREFUSED');
    });
  });
}
