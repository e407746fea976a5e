// How the directory, both backends and the frontend see the mailboxes, side by side, and where they differ.

/** What somebody says about one mailbox. A backend's own rows carry its own name as server. */
export interface Row {
  state: 'active' | 'reserved' | 'moving';
  server: string;
  partition: string;
  /** Which mailbox it really is: another one of the same name has another. Only of a backend's own. */
  uniqueid?: string;
}

export type Rows = ReadonlyMap<string, Row>;

export interface View {
  directory: Rows;
  backends: Readonly<Record<string, Rows>>;
  frontend: Rows;
}

/** What `ctl_mboxlist -d` prints. A name that Cyrus has deleted stays in its list with mbtype `d`: nothing is there. */
export function rowsInDump(node: string, dump: string): Rows {
  const entries = JSON.parse(dump) as Record<
    string,
    { mbtype: string; partition?: string; server?: string; uniqueid?: string }
  >;
  const rows = new Map<string, Row>();
  for (const [name, { mbtype, partition = '', server, uniqueid }] of Object.entries(entries)) {
    // i: a name that exists only because something is below it.
    if (/[di]/.test(mbtype)) continue;
    const state = mbtype.includes('z') ? 'reserved' : mbtype.includes('m') ? 'moving' : 'active';
    rows.set(name, { state, server: server ?? node, partition, ...(uniqueid !== undefined && { uniqueid }) });
  }
  return rows;
}

/** Where they differ, a readable line for each name: what the directory says must be so at one backend and no other. */
export function differences({ directory, backends, frontend }: View): Map<string, string> {
  const found = new Map<string, string>();
  const names = new Set([directory, frontend, ...Object.values(backends)].flatMap((rows) => [...rows.keys()]));
  for (const name of [...names].sort()) {
    const row = directory.get(name);
    const holders = Object.entries(backends).filter(([, rows]) => rows.has(name));
    const [holder] = holders;
    const agree =
      row?.state === 'active' &&
      holders.length === 1 &&
      holder?.[0] === row.server &&
      same(holder[1].get(name), row) &&
      same(frontend.get(name), row);
    if (agree) continue;
    const has = Object.entries(backends).map(([node, rows]) => `${node} has ${text(rows.get(name))}`);
    found.set(
      name,
      `${name}: directory says ${text(row)}, ${has.join(', ')}, frontend says ${text(frontend.get(name))}`,
    );
  }
  return found;
}

/** Where the frontend does not see what the directory says. */
export function lagging(directory: Rows, frontend: Rows): string[] {
  const names = new Set([...directory.keys(), ...frontend.keys()]);
  return [...names].filter((name) => {
    const [row, seen] = [directory.get(name), frontend.get(name)];
    // A name that was deleted a moment ago: both put its mail off.
    if (row === undefined && seen?.state === 'reserved') return false;
    return !same(row, seen);
  });
}

function same(a: Row | undefined, b: Row | undefined): boolean {
  return a?.state === b?.state && a?.server === b?.server && a?.partition === b?.partition;
}

function text(row: Row | undefined): string {
  if (row === undefined) return 'nothing';
  return `${row.state === 'active' ? '' : `${row.state} `}${row.server}!${row.partition}`;
}
