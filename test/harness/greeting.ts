// Whether a server is up: it greets, as those of SMTP and LMTP do.
import { connect } from 'node:net';
import type { Address } from './cyrus-config.ts';

/** False also for a connection that ends, or says nothing for a second. */
export function greets(address: Address): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ ...address, timeout: 1000 });
    const settle = (up: boolean): void => {
      socket.destroy();
      resolve(up);
    };
    socket.on('data', (said) => {
      settle(said.toString('latin1').startsWith('220'));
    });
    for (const event of ['error', 'close', 'timeout']) {
      socket.on(event, () => {
        settle(false);
      });
    }
  });
}
