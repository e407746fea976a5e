// The dependency rule of the house: arrows point one way, pure files touch no world, one door per required package.
// Read by test/unit/house.test.ts, which also fails when nothing was looked at.
const services = (names) => `^services/(${names})/`;
const fittings = 'config|listening|logging|metrics|redis';

/** What the house stands on, and is used on all floors: again the lowest first, and none uses what is above it. */
const ground = [['listening'], ['config'], ['redis'], ['backends', 'events', 'logging'], ['metrics']];

/** The floors of the house, lowest first: a room may use its own floor's lower neighbours and whatever lies below. */
const floors = [
  ['address'],
  ['directory'],
  ['mupdate', 'lmtp', 'sasl'],
  ['changes', 'moves', 'placement', 'replication', 'lookup'],
  ['users'],
  ['operations'],
  ['api', 'dashboard'],
  ['process'],
  ['cli'],
];
const above = (floor, house) =>
  house
    .slice(floor + 1)
    .flat()
    .join('|');
const pointDown = (house) =>
  house.slice(0, -1).map((rooms, floor) => ({
    name: `arrows-point-down-from-${rooms[0]}`,
    severity: 'error',
    from: { path: services(rooms.join('|')) },
    to: { path: services(above(floor, house)) },
  }));

/** Rules and values: no socket, no clock, no chance, no Redis. */
const pure = [
  '^services/address/',
  '^services/moves/(move|driver|manifest|manifest-comparison)[.]ts$',
  '^services/backends/(imap-dlist|tree-facts)[.]ts$',
  '^services/directory/(entry|access|case|rules|ruling|settling|resolving|reconciliation|tree|order|freshness|directory|copies)[.]ts$',
  '^services/moves/(plan|plan-(duration|notes|order|rate|trees|wish)|destinations|emptying|rebalance|room|supposed-sizes)[.]ts$',
  '^services/mupdate/(grammar|commands|responses|binding|step|session)[.]ts$',
  '^services/lmtp/(reply|reply-codes|delivery|routing|slow-sender|status-map)[.]ts$',
  '^services/lookup/(socketmap|key|answer)[.]ts$',
  '^services/placement/(?!placer|promises|make-user|usage)',
  '^services/users/order[.]ts$',
  '^services/backends/lifecycle[.]ts$',
  '^services/moves/(audit|left-over)[.]ts$',
  '^services/moves/(saga|standing|step|moved-case|move|driver|manifest)[.]ts$',
  '^services/moves/(run|run-eta|pacing|windows|worth-copying)[.]ts$',
  '^services/sasl/',
  '^services/replication/(user-id|sync-words)[.]ts$',
  '^services/events/(demand|pool-limits)[.]ts$',
  '^workers/autoscaler/(decide|simulation|trace|plot)[.]ts$',
];

module.exports = {
  forbidden: [
    { name: 'no-circle', severity: 'error', from: {}, to: { circular: true } },
    { name: 'resolvable', severity: 'error', from: {}, to: { couldNotResolve: true } },
    ...pointDown(floors),
    ...pointDown(ground),
    {
      name: 'protocols-do-not-use-each-other',
      severity: 'error',
      from: { path: '^services/(mupdate|lmtp)/' },
      to: { path: '^services/(mupdate|lmtp)/', pathNot: '^services/$1/' },
    },
    {
      name: 'fittings-use-nobody-above',
      severity: 'error',
      from: { path: services(`${fittings}|events`) },
      to: { path: services(floors.flat().join('|')) },
    },
    {
      // The registry and the administration of backends speak of mailboxes by name, and know no more of them.
      name: 'backends-use-nobody-above-names',
      severity: 'error',
      from: { path: services('backends') },
      to: { path: services(floors.slice(1).flat().join('|')) },
    },
    {
      // But for the one file that puts the program together; and what is pure (how many workers there should be) may be
      // asked by the doors.
      name: 'services-do-not-use-workers',
      severity: 'error',
      from: { path: '^services/', pathNot: '^services/cli/main[.]ts$' },
      to: { path: '^workers/', pathNot: pure },
    },
    {
      name: 'workers-do-not-use-the-doors',
      severity: 'error',
      from: { path: '^workers/' },
      to: { path: services('operations|api|dashboard|process|cli') },
    },
    {
      name: 'the-program-does-not-use-its-tests',
      severity: 'error',
      from: { path: '^(services|workers|infra)/' },
      to: { path: '^test/' },
    },
    {
      name: 'pure-files-touch-no-world',
      severity: 'error',
      from: { path: pure },
      to: { dependencyTypes: ['core'], path: '^(?!buffer$)' },
    },
    {
      name: 'pure-files-use-no-package',
      severity: 'error',
      from: { path: pure },
      to: { dependencyTypes: ['npm', 'npm-dev'] },
    },
    {
      name: 'pure-files-use-pure-files',
      severity: 'error',
      from: { path: pure },
      to: { path: '^(services|workers)/', pathNot: pure },
    },
    {
      name: 'one-door-smtp-server',
      severity: 'error',
      from: { pathNot: '^(services/lmtp/listener|test/)' },
      to: { path: 'node_modules/smtp-server' },
    },
    {
      name: 'one-door-nodemailer',
      severity: 'error',
      from: { pathNot: '^(services/lmtp/backend-session|test/)' },
      to: { path: 'node_modules/nodemailer' },
    },
    {
      name: 'one-door-ioredis',
      severity: 'error',
      from: { pathNot: '^(services/redis/|services/directory/redis/|test/)' },
      to: { path: 'node_modules/ioredis' },
    },
    {
      name: 'one-door-bullmq',
      severity: 'error',
      from: { pathNot: '^(services/events/|workers/host|test/)' },
      to: { path: 'node_modules/bullmq' },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'node', 'default', 'types'],
      extensions: ['.ts', '.js', '.mjs', '.json', '.d.ts'],
    },
  },
};
