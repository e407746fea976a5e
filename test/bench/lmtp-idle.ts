// What connections cost that do nothing.
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Address } from './lmtp-stand.ts';

/** So many sessions are begun before memory is looked at first: what a program needs to begin is no matter of theirs. */
const before = 500;
const atOnce = 50;

/** Bytes of memory for each of `count` sessions that have said LHLO and nothing since. */
export async function idleCost(address: Address, count: number, rss: () => number): Promise<number> {
  const open: Socket[] = [];
  const begin = async (): Promise<void> => {
    const socket = connect(address);
    open.push(socket);
    await once(socket, 'data');
    socket.write('LHLO bench.example.org\r\n');
    await once(socket, 'data');
  };
  const beginMany = async (number: number): Promise<void> => {
    for (let some = 0; some < number; some += atOnce) await Promise.all(Array.from({ length: atOnce }, begin));
  };
  try {
    await beginMany(before);
    for (const socket of open.splice(0)) socket.destroy();
    await sleep(1000);
    const empty = rss();
    await beginMany(count);
    await sleep(1000);
    return (rss() - empty) / count;
  } finally {
    for (const socket of open) socket.destroy();
  }
}
