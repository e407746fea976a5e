// When the process is asked to stop, or to read its configuration again.

/**
 * How long, in milliseconds, further signals mean the same wish: a Ctrl-C under npm arrives twice, from the terminal and
 * from npm, which forwards it.
 */
const sameWish = 1000;

/** Resolves at the first SIGINT or SIGTERM. One that comes later than a moment after it ends the process at once. */
export function stopAsked(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    const asked = (signal: NodeJS.Signals) => {
      resolve(signal);
      setTimeout(() => {
        process.off('SIGINT', asked);
        process.off('SIGTERM', asked);
      }, sameWish).unref();
    };
    process.on('SIGINT', asked);
    process.on('SIGTERM', asked);
  });
}

/**
 * Calls back at each SIGHUP. Under a terminal the signal says that it is gone, and ends the process as ever: nobody would
 * know of it any more.
 */
export function onReload(asked: () => void): void {
  if (!process.stdout.isTTY) process.on('SIGHUP', asked);
}
