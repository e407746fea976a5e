// A real Cyrus Murder on loopback, from Debian's packages: backends, and on wish a frontend and a master.
import { rmSync } from 'node:fs';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Address, CyrusPlan, CyrusRole } from './cyrus-config.ts';
import { CyrusNode } from './cyrus-node.ts';
import { claimNetwork, type LoopbackNetwork } from './loopback.ts';

export { CYRUS_PASSWORD, mupdateUser } from './cyrus-config.ts';
export type { CyrusNode } from './cyrus-node.ts';

/** The name of the node that is a Cyrus MUPDATE master. */
export const CYRUS_MASTER = 'mupdate';

export interface CyrusOptions {
  /** The MUPDATE master the nodes are to use: it must take the users `mup-NAME`. Left out: a real Cyrus master. */
  mupdate?: Address;
  /** The backends; default `mail1` and `mail2`. */
  nodes?: readonly string[];
  /** Also a node `frontend`. */
  frontend?: boolean;
  /** Also a node `replica`, to which sync_client of the first backend speaks. */
  replica?: boolean;
  /** Lines for the imapd.conf of a node, by its name. */
  options?: Readonly<Record<string, readonly string[]>>;
  /** False: everything is laid out, nothing is started. */
  start?: boolean;
}

export interface Cyrus {
  readonly mupdate: Address;
  /** Throws when there is no such node. */
  node(name: string): CyrusNode;
  /** Ends all nodes and removes what they had. May be called twice. */
  stop(): Promise<void>;
}

/** Lays the nodes out and starts them: the master, then the backends side by side, then the frontend. */
export async function startCyrus(options: CyrusOptions = {}): Promise<Cyrus> {
  const network = await claimNetwork();
  const folder = await mkdtemp(join(tmpdir(), 'cyrus-'));
  const nodes = new Map<string, CyrusNode>();
  const discard = (): void => {
    for (const node of nodes.values()) node.discard();
    rmSync(folder, { recursive: true, force: true });
  };
  // The last resort, for a test that ends without its clean-up. Its folder goes too; after a kill -9 only that stays.
  process.once('exit', discard);
  const stop = async (): Promise<void> => {
    await Promise.all([...nodes.values()].map((node) => node.stop()));
    for (const node of nodes.values()) node.discard();
    await rm(folder, { recursive: true, force: true });
    process.off('exit', discard);
    network.release();
  };
  try {
    await chmod(folder, 0o755);
    const plans = layOut(folder, network, options);
    await Promise.all(plans.map(async (plan) => nodes.set(plan.name, await CyrusNode.make(plan))));
    if (options.start !== false) await startInOrder([...nodes.values()]);
    return { mupdate: plans[0]?.mupdate ?? { host: '', port: 0 }, node: (name) => known(nodes, name), stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

function layOut(folder: string, network: LoopbackNetwork, options: CyrusOptions): CyrusPlan[] {
  const roles = new Map<string, CyrusRole>();
  if (options.mupdate === undefined) roles.set(CYRUS_MASTER, 'master');
  for (const name of options.nodes ?? ['mail1', 'mail2']) roles.set(name, 'backend');
  if (options.frontend === true) roles.set('frontend', 'frontend');
  if (options.replica === true) roles.set('replica', 'replica');
  const hosts = new Map([...roles.keys()].map((name, at) => [name, network.host(11 + at)]));
  const master = { host: hosts.get(CYRUS_MASTER) ?? '', port: 13905 };
  return [...roles].map(([name, role]) => ({
    ...{ name, role, hosts, folder: join(folder, name), address: hosts.get(name) ?? '' },
    mupdate: options.mupdate ?? master,
    options: options.options?.[name] ?? [],
  }));
}

async function startInOrder(nodes: CyrusNode[]): Promise<void> {
  for (const role of ['master', 'replica', 'backend', 'frontend'] satisfies CyrusRole[]) {
    await Promise.all(nodes.filter((node) => node.role === role).map((node) => node.start()));
  }
}

function known(nodes: ReadonlyMap<string, CyrusNode>, name: string): CyrusNode {
  const node = nodes.get(name);
  if (node === undefined) throw new Error(`no Cyrus node '${name}': there are ${[...nodes.keys()].join(', ')}`);
  return node;
}
