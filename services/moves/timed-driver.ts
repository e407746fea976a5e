// A driver whose servers are timed: how long each takes to say what it holds, which is a question that any of them answers at once.
import type { MoveDriver } from './driver.ts';

/** The same driver; `tell` hears of each look at a server, also of one that came to nothing, in milliseconds. */
export function timed(driver: MoveDriver, tell: (server: string, milliseconds: number) => void): MoveDriver {
  const holds: MoveDriver['holds'] = async (server, name) => {
    const begun = performance.now();
    try {
      return await driver.holds(server, name);
    } finally {
      tell(server, performance.now() - begun);
    }
  };
  return new Proxy(driver, {
    get(target, key) {
      if (key === 'holds') return holds;
      const value: unknown = Reflect.get(target, key, target);
      return typeof value === 'function' ? (value.bind(target) as unknown) : value;
    },
  });
}
