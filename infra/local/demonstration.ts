// npm start: the whole house on one machine, with two backends that store Maildir, five users and a first message.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { stringify } from 'yaml';
import { addressText } from '../../services/backends/registry.ts';
import type { Address } from '../../services/backends/registry.ts';
import { ConfigError } from '../../services/config/config-error.ts';
import { makeDataFolder } from '../../services/config/data-folder.ts';
import { loadConfig } from '../../services/config/load.ts';
import type { Config } from '../../services/config/schema.ts';
import type { Directory } from '../../services/directory/directory.ts';
import { bytesFromText } from '../../services/directory/entry.ts';
import { makeLogger } from '../../services/logging/logger.ts';
import { onDirectory } from '../../services/process/operations.ts';
import { registryOf } from '../../services/process/settings.ts';
import { startRoles } from '../../services/process/start-roles.ts';
import type { Running } from '../../services/process/start-roles.ts';
import { stopAsked } from '../../services/process/stop-asked.ts';
import { handOver } from './first-message.ts';
import { MaildirBackend } from './maildir-backend.ts';

const users: readonly [user: string, backend: string][] = [
  ['ada', 'demo1'],
  ['ben', 'demo1'],
  ['cleo', 'demo1'],
  ['dan', 'demo2'],
  ['eve', 'demo2'],
];
const recipients = ['ada@example.org', 'dan@example.org', 'eve+lists@example.org', 'nobody@example.org'];
const out = (line: string) => void process.stdout.write(`${line}\n`);

async function main(): Promise<void> {
  const asked = stopAsked();
  const config = configured();
  makeDataFolder(config.data);
  // The terminal is for the story; warnings and worse still come through.
  const log = makeLogger({ level: process.env['ROOKERY_LOG__LEVEL'] ?? 'warn' });
  const backends = await startBackends(config, log);
  const stops = backends.map((backend) => () => backend.stop());
  try {
    for (const { name, address } of backends) {
      const placement = { weight: 1, tags: [], drain: false, partitions: {} };
      config.backends[name] = {
        lmtp: { addresses: [address], connections: 20, waiting: 100 },
        mupdate: false,
        fence: false,
        placement,
      };
      out(`Backend  ${name}, ${addressText(address)}, mail in ${join(config.data, 'backends', name)}`);
    }
    const running = await startRoles({ config, roles: ['directory', 'lmtp', 'api'], out, log });
    stops.push(() => running.stop());
    // Only now: another one that runs here has written its own.
    await writeFile(join(config.data, 'rookery.yaml'), forCommands(config, backends));
    await makeUsers(running.directory, backends);
    await firstMessage(running, config);
    sayReady(running);
    await asked;
  } finally {
    for (const stop of stops.reverse()) await stop();
  }
}

/** A configuration for the commands that look at what runs: they must know its backends. */
function forCommands({ data }: Config, backends: readonly MaildirBackend[]): string {
  const known = backends.map(({ name, address }) => [name, { lmtp: address, mupdate: false }] as const);
  return `# Written by npm start, for the commands of rookery.\n${stringify({ data, backends: Object.fromEntries(known) })}`;
}

/** The configuration of the file named by --config, or of nothing but defaults; environment variables override both. */
function configured(): Config {
  const { values } = parseArgs({ options: { config: { type: 'string' } } });
  return loadConfig({ ...(values.config === undefined ? {} : { file: values.config }), env: process.env });
}

function startBackends(config: Config, log: ReturnType<typeof makeLogger>): Promise<MaildirBackend[]> {
  const names = [...new Set(users.map(([, backend]) => backend))];
  return Promise.all(
    names.map((name) =>
      MaildirBackend.start({ name, folder: join(config.data, 'backends', name), recipients: config.lmtp, log }),
    ),
  );
}

/** Makes each user's mailbox on its backend and its row in the directory; those of an earlier start are found again. */
async function makeUsers(directory: Directory, backends: readonly MaildirBackend[]): Promise<void> {
  const writer = { session: 'demonstration', admin: true, push: false };
  for (const [user, server] of users) {
    const name = bytesFromText(`user.${user}`);
    await backends.find((backend) => backend.name === server)?.maildirs.create(name);
    const row = { name, location: `${server}!maildir`, acl: `${user}\tlrswipkxtecdan\t` };
    const answer = await directory.write({ verb: 'ACTIVATE', ...row }, writer);
    if (!answer.ok) throw new Error(`the directory refuses ${name} at ${row.location}: ${answer.text}`);
  }
  await directory.end(writer.session, 'logout');
  const found = users.map(([user, backend]) => `${user} (${backend})`);
  out(`Users    ${found.join(', ')}`);
}

async function firstMessage(running: Running, config: Config): Promise<void> {
  const proxy = running.addresses.lmtp?.[0];
  if (!proxy) return;
  out('');
  out(
    `A first message goes to the proxy at ${addressText(proxy)}, from postmaster@example.org to ${recipients.length}:`,
  );
  const told = await handOver(proxy, 'postmaster@example.org', recipients, [
    'From: Rookery <postmaster@example.org>',
    `To: ${recipients.join(', ')}`,
    'Subject: A first message',
    `Date: ${new Date().toUTCString().replace('GMT', '+0000')}`,
    `Message-ID: <${Date.now()}.demonstration@example.org>`,
    '',
    'It came in by LMTP, was looked up in the directory, and went where its mailboxes live.',
  ]);
  const { route } = onDirectory(running.directory, registryOf(config), config, () => undefined);
  for (const { recipient, reply } of told) {
    out('');
    out(`  ${recipient}`);
    for (const step of (await route.explain(bytesFromText(recipient))).steps) out(`    ${step}`);
    out(`    the MTA was told: ${reply}`);
  }
  out('');
}

function sayReady(running: Running): void {
  const [lmtp, mupdate, api] = [running.addresses.lmtp, running.addresses.directory, running.addresses.api];
  out('ready');
  out(`  LMTP for MTAs          ${listed(lmtp)}`);
  out(`  MUPDATE for backends   ${listed(mupdate)}`);
  out(`  health and metrics     ${listed(api)}`);
  const tcp = lmtp?.find((address) => 'port' in address);
  if (tcp) {
    out(
      `  try   swaks --protocol LMTP --server ${tcp.host} --port ${tcp.port} --from me@example.org --to ben@example.org`,
    );
    out(`  or, in Postfix' main.cf   virtual_transport = lmtp:inet:[${tcp.host}]:${tcp.port}`);
  }
  out('  Ctrl-C ends it; the next start finds its data again.');
}

function listed(addresses: readonly Address[] = []): string {
  return addresses.map(addressText).join(', ');
}

main().catch((error: unknown) => {
  const text = error instanceof Error ? error.message : String(error);
  process.stderr.write(`rookery: ${text}\n`);
  process.exitCode = error instanceof ConfigError ? 78 : 69;
});
