// What each Cyrus server of a test is told: its accounts, imapd.conf, cyrus.conf, hosts and services.
export interface Address {
  host: string;
  port: number;
}

export type CyrusRole = 'master' | 'backend' | 'frontend' | 'replica';

/** What the configuration of one node is made from. */
export interface CyrusPlan {
  name: string;
  role: CyrusRole;
  folder: string;
  address: string;
  mupdate: Address;
  /** All nodes of the same Murder, this one included, by name. */
  hosts: ReadonlyMap<string, string>;
  /** More lines for imapd.conf; a line for an option that is set here already takes its place. */
  options: readonly string[];
}

/** The same on every node: each node has an address of its own. */
export const CYRUS_PORTS = { imap: 10143, lmtp: 10024, preauthorisedLmtp: 10025, csync: 10112, mupdate: 13905 };

export const CYRUS_PASSWORD = {
  /** Administrator of every node. */
  cyrus: 'cyruspw',
  /** On backends: may act for others, and may speak LMTP over TCP. No administrator. */
  mailproxy: 'proxypw',
  /** The backends among themselves (XFER): a backend authenticates without authzid, so it must be an administrator. */
  backend: 'backendpw',
  /** On the frontend: may speak LMTP over TCP. */
  mta: 'mtapw',
  alice: 'alicepw',
  bob: 'bobpw',
  carol: 'carolpw',
  dave: 'davepw',
  /** What every node says to the MUPDATE master, as user `mup-NAME`. */
  mupdate: 'muppw',
};

/** As which user a node logs in to the MUPDATE master. */
export function mupdateUser(node: string): string {
  return `mup-${node}`;
}

/** What a node calls itself in the directory, and the realm of its accounts: its name, unless its options give another. */
export function servername({ name, options }: CyrusPlan): string {
  const given = options.find((option) => optionName(option) === 'servername');
  return given?.slice('servername:'.length).trim() ?? name;
}

/** Who has an account on a node, with passwords. */
export function accounts(plan: CyrusPlan): [user: string, password: string][] {
  const { mupdate, ...people } = CYRUS_PASSWORD;
  const clients = [...plan.hosts.keys(), 'extra'].map((name): [string, string] => [mupdateUser(name), mupdate]);
  return [...Object.entries(people), ...(plan.role === 'backend' ? [] : clients)];
}

export function imapdConf(plan: CyrusPlan): string {
  const lines = [...everywhere(plan), ...forRole(plan)];
  const kept = lines.filter((line) => !plan.options.some((option) => optionName(option) === optionName(line)));
  return [...kept, ...plan.options, ''].join('\n');
}

function optionName(line: string): string {
  return line.slice(0, line.indexOf(':'));
}

function everywhere({ name, role, folder, hosts }: CyrusPlan): string[] {
  const clients = role === 'backend' ? ['backend'] : [...hosts.keys(), 'extra'].map(mupdateUser);
  return [
    `configdirectory: ${folder}/conf`,
    `partition-default: ${folder}/spool/default`,
    `partition-u2: ${folder}/spool/u2`,
    'defaultpartition: default',
    `proc_path: ${folder}/run/proc`,
    `mboxname_lockpath: ${folder}/run/lock`,
    `sievedir: ${folder}/sieve`,
    `lmtpsocket: ${folder}/run/lmtp`,
    `idlesocket: ${folder}/run/idle`,
    `notifysocket: ${folder}/run/notify`,
    `servername: ${name}`,
    `syslog_prefix: ${name}`,
    // MUPDATE clients must be administrators of the server they ask.
    `admins: ${['cyrus', ...clients].join(' ')}`,
    // Plain names, for tests that can be read; MUPDATE carries internal names whatever these say.
    'altnamespace: no',
    'unixhierarchysep: no',
    'virtdomains: off',
    'hashimapspool: yes',
    'allowplaintext: yes',
    // Offer nothing but PLAIN: Cyrus' MUPDATE client would pick SCRAM and fail.
    'sasl_mech_list: PLAIN',
    'sasl_pwcheck_method: auxprop',
    'sasl_auxprop_plugin: sasldb',
    `sasl_sasldb_path: ${folder}/conf/sasldb2`,
    // Fast, and the same each time.
    'failedloginpause: 0',
    'popminpoll: 0',
    'duplicatesuppression: no',
    'autocreate_quota: -1',
    'lmtp_over_quota_perm_failure: no',
  ];
}

function forRole({ name, role, mupdate, hosts }: CyrusPlan): string[] {
  if (role === 'master') return ['mupdate_connections_max: 256'];
  // Of no Murder: what it is told by its master must not be pushed.
  if (role === 'replica') return ['proxyservers: mailproxy', 'allowusermoves: yes'];
  const client = [
    // host:port, for the option mupdate_port is never read.
    `mupdate_server: ${mupdate.host}:${mupdate.port}`,
    `mupdate_username: ${mupdateUser(name)}`,
    `mupdate_authname: ${mupdateUser(name)}`,
    `mupdate_password: ${CYRUS_PASSWORD.mupdate}`,
    // The reconnect pause and the NOOP interval of a frontend's replica; default 20 seconds.
    'mupdate_retry_delay: 2',
    'allowusermoves: yes',
  ];
  // proxyservers is what makes a machine a backend: never on a frontend.
  if (role === 'backend') {
    const peers = ['proxyservers: mailproxy backend', 'lmtp_admins: mailproxy backend'];
    return [...client, ...peers, 'proxy_authname: backend', `proxy_password: ${CYRUS_PASSWORD.backend}`];
  }
  const backends = [...hosts.keys()].filter((host) => host !== name && host !== 'mupdate');
  return [
    ...client,
    `serverlist: ${backends.join(' ')}`,
    ...['proxy_authname: mailproxy', `proxy_password: ${CYRUS_PASSWORD.mailproxy}`],
    ...['lmtp_admins: mta', 'proxyd_disable_mailbox_referrals: yes'],
  ];
}

/** Cyrus' master does not hand its -C on: every command needs its own, or it silently reads the machine's file. */
export function cyrusConf({ role, folder, address }: CyrusPlan): string {
  const conf = `-C ${folder}/imapd.conf`;
  const { imap, lmtp, preauthorisedLmtp, csync, mupdate } = CYRUS_PORTS;
  const service = (name: string, command: string, listen: string, prefork = 0): string =>
    `  ${name} cmd="${command}" listen="${listen}" prefork=${prefork}`;
  const mail = [
    service('imap', `imapd ${conf}`, `${address}:${imap}`),
    service('lmtp', `lmtpd ${conf}`, `${address}:${lmtp}`),
    service('lmtpunix', `lmtpd ${conf}`, `${folder}/run/lmtp`),
  ];
  const services: Record<CyrusRole, string[]> = {
    master: [service('mupdate', `mupdate ${conf} -m`, `${address}:${mupdate}`, 1)],
    backend: mail,
    replica: [...mail, service('csync', `sync_server ${conf}`, `${address}:${csync}`)],
    frontend: [
      service('mupdate', `mupdate ${conf}`, `${address}:${mupdate}`, 1),
      ...mail,
      service('lmtpa', `lmtpd ${conf} -a`, `${address}:${preauthorisedLmtp}`),
    ],
  };
  // A START entry that fails stops the node: a backend comes up only after its push.
  const push = role === 'backend' ? [`  mupdatepush cmd="ctl_mboxlist ${conf} -m"`] : [];
  return [
    ...['START {', `  recover cmd="ctl_cyrusdb ${conf} -r"`, ...push, '}'],
    ...['SERVICES {', ...services[role], '}'],
    ...['EVENTS {', `  checkpoint cmd="ctl_cyrusdb ${conf} -c" period=30`, '}', ''],
  ].join('\n');
}

/** A location names a server, which Cyrus passes to getaddrinfo with the service names imap and lmtp. */
export function hostsFile({ hosts }: CyrusPlan): string {
  const nodes = [...hosts].map(([name, address]) => `${address} ${name}`);
  return ['127.0.0.1 localhost', '::1 localhost', ...nodes, ''].join('\n');
}

export function servicesFile(): string {
  const { imap, lmtp, csync, mupdate } = CYRUS_PORTS;
  return `imap ${imap}/tcp\nlmtp ${lmtp}/tcp\ncsync ${csync}/tcp\nmupdate ${mupdate}/tcp\n`;
}
