// What size of message a backend announces: asked on a connection made for the question.
import type { Registry } from '../backends/registry.ts';
import type { Bytes } from '../directory/entry.ts';
import { BackendConnector } from './backend-connector.ts';
import { BackendFailure } from './backend-failure.ts';
import { unknownServer } from './reply-codes.ts';
import type { BackendSettings } from './settings.ts';

/**
 * In octets; undefined where it announces no limit. `name` is what we call ourselves in LHLO. Rejects with a BackendFailure
 * when it cannot be asked, after `connect_timeout` for each of its addresses.
 */
export async function offeredSize(
  server: Bytes,
  registry: Registry,
  settings: BackendSettings,
  name: string,
): Promise<number | undefined> {
  const access = registry.find(server)?.lmtp;
  if (access === undefined) throw new BackendFailure(unknownServer(server));
  const session = await new BackendConnector(server, access.addresses, name, settings).open(access);
  const limit = session.sizeLimit;
  await session.leave(settings.connect_timeout);
  return limit;
}
