// When the process is asked to stop.

/**
 * Resolves at the first SIGINT or SIGTERM. From then on both do what they do by default: a second one ends the process
 * at once.
 */
export function stopAsked(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    const asked = (signal: NodeJS.Signals) => {
      process.off('SIGINT', asked);
      process.off('SIGTERM', asked);
      resolve(signal);
    };
    process.on('SIGINT', asked);
    process.on('SIGTERM', asked);
  });
}
