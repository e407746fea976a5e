// A push that has come to its end: whether its server counts as heard.
import type { Bytes } from '../directory/entry.ts';
import type { Service } from './service.ts';

/** What a push was, for the log and for the directory. `epoch` is that of its beginning, if it could be asked then. */
interface Push {
  peer: object;
  server: Bytes;
  epoch: number | undefined;
  /** When it began, in milliseconds since 1970. */
  begun: number;
}

/**
 * How far the clocks of two directory nodes may be apart, in milliseconds: a case that another node has opened in the midst
 * of the push must not look older than it.
 */
const clockSkew = 5000;

/** Counts a complete push, unless data were lost since it began. Rejects when the directory could not be asked. */
export async function countPush(
  { directory, witnesses, log }: Service,
  { peer, server, epoch, begun }: Push,
): Promise<void> {
  const standing = await directory.standing();
  // Epoch 0 is none: nothing could be noted of it.
  if (standing.epoch < 1 || standing.epoch !== epoch) {
    log.warn({ ...peer, server }, 'mupdate: push not counted: data were lost meanwhile');
    return;
  }
  await directory.heard(server, witnesses.pushing, begun - clockSkew);
  log.info({ ...peer, server }, 'mupdate: push complete');
}
