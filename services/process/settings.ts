// From the configuration, in the operator's units and names, to the settings of the rooms.
import { Registry } from '../backends/registry.ts';
import type { ImapAccess, PartitionSpace, TlsAccess } from '../backends/registry.ts';
import type { Config } from '../config/schema.ts';
import type { NearCacheOptions } from '../directory/near-cache.ts';
import type { Times } from '../directory/rules.ts';
import type { Retries, Retry } from '../events/retry.ts';
import { bytesFromText } from '../directory/entry.ts';
import type { Hosts, User } from '../mupdate/binding.ts';
import type { MupdateSettings } from '../mupdate/settings.ts';
import { Networks } from '../listening/networks.ts';
import type { BackendSettings, LmtpSettings } from '../lmtp/settings.ts';
import type { TransportSettings } from '../lookup/maps.ts';
import type { LookupSettings } from '../lookup/settings.ts';
import type { UserForm } from '../placement/new-user.ts';
import { version } from './version.ts';

/** A second of the configuration in milliseconds. */
const second = 1000;

export function registryOf(config: Config): Registry {
  return new Registry(
    Object.entries(config.backends).map(([name, { lmtp, imap, mupdate, placement, fence }]) => ({
      ...{ name, mupdate, flags: { fence, drain: placement.drain } },
      lmtp: lmtp && {
        ...{ addresses: lmtp.addresses, connections: lmtp.connections, waiting: lmtp.waiting },
        ...(lmtp.tls && { tls: tlsOf(lmtp.tls) }),
        ...(lmtp.username !== undefined && lmtp.password !== undefined
          ? { username: lmtp.username, password: lmtp.password }
          : {}),
      },
      imap: imapAccess(imap, config.usage.most_space),
      ...(Object.keys(placement.partitions).length > 0 && { space: spaceOf(placement.partitions) }),
    })),
  );
}

function tlsOf({ mode, ca, name, verify }: ConfiguredTls): TlsAccess {
  return { mode, verify, ...(ca !== undefined && { ca }), ...(name !== undefined && { name }) };
}

type ConfiguredTls = NonNullable<NonNullable<Config['backends'][string]['lmtp']>['tls']>;

/** Undefined without a user: nobody else may ask for mailboxes. */
function imapAccess(imap: Config['backends'][string]['imap'], mostSpaceKiB: number): ImapAccess | undefined {
  if (imap?.username === undefined || imap.password === undefined) return undefined;
  return { host: imap.host, port: imap.port, username: imap.username, password: imap.password, mostSpaceKiB };
}

export function usersOf(config: Config): Map<string, User> {
  return new Map(
    Object.entries(config.directory.users).map(([name, { password = '', server, host, access, admin }]) => [
      name,
      {
        ...{ password, access, admin },
        ...(server === undefined ? {} : { server: bytesFromText(server) }),
        ...(host === undefined ? {} : { host }),
      },
    ]),
  );
}

function spaceOf(partitions: Config['backends'][string]['placement']['partitions']): PartitionSpace[] {
  return Object.entries(partitions).map(([name, { available, total, filesystem }]) => ({
    ...{ name, availableKiB: available, totalKiB: total },
    ...(filesystem !== undefined && { filesystem }),
  }));
}

/** The hosts of each backend that names any. */
export function hostsOf(config: Config): Map<string, Hosts> {
  const table = new Map<string, Hosts>();
  for (const [name, { hosts: all, active = all?.[0] }] of Object.entries(config.backends)) {
    if (all && active !== undefined) table.set(bytesFromText(name), { all, active });
  }
  return table;
}

export function timesOf({ directory }: Config): Times {
  return {
    reservationMaxAge: directory.reservation_max_age * second,
    reservationGrace: directory.reservation_grace * second,
    tombstoneGrace: directory.tombstone_grace * second,
  };
}

export function mupdateSettings({ directory }: Config): MupdateSettings {
  return {
    version,
    sessions_limit: directory.sessions_limit,
    unauthenticated_limit: directory.unauthenticated_limit,
    login_timeout: directory.login_timeout * second,
    failedloginpause: directory.failedloginpause * second,
    idle_timeout: directory.idle_timeout * second,
    output_limit: directory.output_limit,
    stall_timeout: directory.stall_timeout * second,
    resend_rate: directory.resend_rate,
    updates_at_once: directory.updates_at_once,
    line_limit: directory.line_limit,
    literal_limit: directory.literal_limit,
    command_limit: directory.command_limit,
  };
}

/** How long one recipient waits for the directory, in milliseconds. */
export function directoryPatience({ directory }: Config): number {
  return directory.redis_timeout * second;
}

/** In milliseconds. */
export function nearCacheSettings({
  directory,
}: Config): Pick<NearCacheOptions, 'rows' | 'lease' | 'renewal' | 'maxStale' | 'patience'> {
  const lease = directory.routing_lease * second;
  return {
    rows: directory.near_cache,
    ...{ lease, renewal: lease / renewals },
    maxStale: directory.max_stale * second,
    patience: directory.redis_timeout * second,
  };
}

/** Four signs of life may be lost before a lease ends: rules.md's 2 s of 10. */
const renewals = 5;

export function lmtpSettings({ lmtp }: Config): LmtpSettings {
  return {
    size_limit: lmtp.size_limit,
    recipients_limit: lmtp.recipients_limit,
    sessions_limit: lmtp.sessions_limit,
    command_limit: lmtp.command_limit,
    bad_commands_limit: lmtp.bad_commands_limit,
    session_timeout: lmtp.session_timeout * second,
    lmtp_strict_rfc2821: lmtp.lmtp_strict_rfc2821,
    socket_mode: Number.parseInt(lmtp.socket_mode, 8),
    ...accessSettings(lmtp),
  };
}

/** Who may do what at the listeners. */
function accessSettings(lmtp: Config['lmtp']) {
  const users = new Map(Object.entries(lmtp.users).map(([name, { password = '' }]) => [name, password]));
  return {
    smtputf8: lmtp.smtputf8,
    users,
    lmtp_admins: new Set(lmtp.lmtp_admins ?? users.keys()),
    allowplaintext: lmtp.allowplaintext,
    soft_noauth: lmtp.soft_noauth,
    failedloginpause: lmtp.failedloginpause * second,
    preauth_networks: new Networks(lmtp.preauth_networks),
    xforward_networks: new Networks(lmtp.xforward_networks),
    proxy_networks: new Networks(lmtp.proxy_networks),
    handshake_timeout: lmtp.handshake_timeout * second,
  };
}

export function lookupSettings({ lookup }: Config): LookupSettings {
  return {
    connections_limit: lookup.connections_limit,
    idle_timeout: lookup.idle_timeout * second,
    request_limit: lookup.request_limit,
    socket_mode: Number.parseInt(lookup.socket_mode, 8),
  };
}

export function transportSettings({ lookup: { transport } }: Config): TransportSettings {
  const domains = new Set(transport.domains.map((domain) => domain.toLowerCase()));
  return { service: transport.service, domains, firstMessage: transport.first_message };
}

export function backendSettings({ lmtp }: Config): BackendSettings {
  return {
    connect_timeout: lmtp.connect_timeout * second,
    wait_timeout: lmtp.wait_timeout * second,
    envelope_timeout: lmtp.envelope_timeout * second,
    stall_timeout: lmtp.stall_timeout * second,
    reply_timeout: lmtp.reply_timeout * second,
    idle_timeout: lmtp.idle_timeout * second,
    buffer: lmtp.buffer,
    transaction_timeout: lmtp.transaction_timeout * second,
    late_timeout: lmtp.late_timeout * second,
    check_after: lmtp.check_after * second,
    breaker_failures: lmtp.breaker_failures,
    breaker_pause: lmtp.breaker_pause * second,
    failback_after: lmtp.failback_after * second,
    memory_limit: lmtp.memory_limit,
    spool_after: lmtp.spool_after * second,
    spool_limit: lmtp.spool_limit,
  };
}

export function retriesOf({ workers: { retries } }: Config): Retries {
  const retry = ({ attempts, pause, longest_pause }: Config['workers']['retries']['away']): Retry => ({
    ...{ attempts, pause: pause * second, longest: longest_pause * second },
  });
  const { away, busy, fault, newer } = retries;
  return {
    ...{ away: retry(away), busy: retry(busy), fault: retry(fault) },
    newer: { pause: newer.pause * second, atMost: newer.keep_for * second },
  };
}

/** What a new user gets. */
export function formOf({ users }: Config): UserForm {
  const { storage_kib, messages } = users.quota;
  return {
    quota: { ...(storage_kib !== undefined && { storage_kib }), ...(messages !== undefined && { messages }) },
    folders: users.folders.map(({ name, subscribe, special_use }) => ({
      ...{ name, subscribe },
      ...(special_use !== undefined && { special_use }),
    })),
    acl: users.acl,
  };
}
