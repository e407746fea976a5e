// The role `lookup`: the socketmap by which MTAs ask whether a recipient exists, and which way his mail goes.
import type { Address } from '../backends/registry.ts';
import type { NearCache } from '../directory/near-cache.ts';
import { Router } from '../lmtp/router.ts';
import { Maps } from '../lookup/maps.ts';
import { SocketmapServer } from '../lookup/server.ts';
import { countedRoute, madeByFirstMessage } from './first-look.ts';
import { lookupSettings, transportSettings } from './settings.ts';
import type { RoleStart, StartedRole } from './role.ts';

/** Where it listens when it is asked for by name, and the configuration does not say where. */
const defaultListen: readonly Address[] = [{ host: '127.0.0.1', port: 2004 }];

export async function startLookupRole(start: RoleStart): Promise<StartedRole> {
  const { config, log, metrics } = start;
  const settings = lookupSettings(config);
  const maps = mapsOf(start, await start.nearCache());
  const server = new SocketmapServer({
    ...{ settings, log, ask: (request) => maps.ask(request) },
    measure: {
      answer: ({ map = 'none', answer }, seconds) => {
        metrics.count('rookery_lookup_answers_total', map, answer.status);
        metrics.observe('rookery_lookup_seconds', seconds, map);
      },
      closed: (why) => {
        metrics.count('rookery_lookup_closed_total', why);
      },
    },
  });
  const stop = () => server.close(start.grace);
  const addresses: Address[] = [];
  try {
    for (const address of config.lookup.listen ?? defaultListen) addresses.push(await server.listen(address));
  } catch (error) {
    await stop();
    throw error;
  }
  start.watch('rookery_lookup_connections', () => [[server.connections]]);
  start.notes['lookup'] = () => {
    const { connections_limit: limit } = settings;
    return server.connections < limit ? undefined : `all ${limit} connections are taken (lookup.connections_limit)`;
  };
  return { name: 'Lookup', addresses, stop };
}

/** Asks as LMTP does, but makes nobody: a question is no message. */
function mapsOf({ config, registry, metrics }: RoleStart, directory: NearCache): Maps {
  const wants = madeByFirstMessage(config);
  const autocreate = wants && { wants, make: () => Promise.resolve(false) };
  const router = new Router(directory, registry, config.lmtp, autocreate);
  return new Maps({
    ...{ registry, addresses: config.lmtp, transport: transportSettings(config) },
    router: { route: (path) => countedRoute(router.route(path), metrics) },
  });
}
