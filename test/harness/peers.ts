// Which real peers this machine has: what a test that needs one says to node:test's `skip`.
import { spawnSync } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { DOVECOT_VIEW, EXIM_VIEW } from './unpacked.ts';

/** Why the tests of a peer are left out, or false when the peer is there. Where CI is set nothing is left out. */
type Absence = string | false;

const CYRUS_PROGRAMS = ['master', 'mupdate', 'imapd', 'lmtpd', 'ctl_cyrusdb', 'ctl_mboxlist'];

/** Real Cyrus servers, each in a mount namespace of its own. */
export function withoutCyrus(): Absence {
  return absence(
    () => missingPrograms(...CYRUS_PROGRAMS.map((program) => `/usr/lib/cyrus/bin/${program}`)),
    () => missingPrograms('saslpasswd2', 'perl', 'setpriv', 'unshare'),
    () => notRoot('Cyrus servers'),
    () =>
      spawnSync('unshare', ['-m', 'mount', '--bind', '/etc/hosts', '/etc/hosts']).status !== 0 &&
      'no mount namespaces here',
  );
}

/** A Cyrus server and its replica. */
export function withoutReplication(): Absence {
  return absence(withoutCyrus, () =>
    missingPrograms('/usr/lib/cyrus/bin/sync_client', '/usr/lib/cyrus/bin/sync_server'),
  );
}

/** A Postfix of our own in a scratch folder. */
export function withoutPostfix(): Absence {
  return absence(
    () => missingPrograms('postfix', 'postconf', '/usr/lib/postfix/sbin/master'),
    () => notRoot('a Postfix master'),
  );
}

/** An Exim of our own, which is not installed. */
export function withoutExim(): Absence {
  return absence(() => notRoot('an Exim'), withoutView(EXIM_VIEW, 'exim4-daemon-light'));
}

/** Dovecot's LMTP server, which is not installed. */
export function withoutDovecot(): Absence {
  return absence(() => notRoot('a Dovecot'), withoutView(DOVECOT_VIEW, 'dovecot-core dovecot-lmtpd'));
}

/** Postfix's test programs smtp-source and smtp-sink, which need no root. */
export function withoutSmtpTools(): Absence {
  return absence(() => missingPrograms('smtp-source', 'smtp-sink'));
}

export function withoutSwaks(): Absence {
  return absence(() => missingPrograms('swaks'));
}

/** swaks with what it needs for TLS. */
export function withoutSwaksTls(): Absence {
  return absence(
    () => missingPrograms('swaks'),
    () => spawnSync('perl', ['-MNet::SSLeay', '-e', '1']).status !== 0 && 'not installed: libnet-ssleay-perl',
  );
}

/** Prometheus' own judge of what is to be scraped. */
export function withoutPromtool(): Absence {
  return absence(() => missingPrograms('promtool'));
}

export function withoutHaproxy(): Absence {
  return absence(() => missingPrograms('haproxy'));
}

function absence(...doubts: (() => Absence)[]): Absence {
  if (process.env['CI'] === 'true') return false;
  if (process.env['ROOKERY_PEERS'] === 'none') return 'ROOKERY_PEERS=none';
  for (const doubt of doubts) {
    const reason = doubt();
    if (reason !== false) return reason;
  }
  return false;
}

function withoutView(view: string, packages: string): () => Absence {
  return () => {
    if (missingPrograms(view) !== false) return `not unpacked: infra/local/unpack.sh ${packages}`;
    return spawnSync(view, ['true']).status !== 0 && 'no overlay mounts here';
  };
}

function notRoot(what: string): Absence {
  return process.getuid?.() !== 0 && `not root: ${what} can't be started`;
}

/** Debian keeps servers in sbin folders, which are not on everybody's PATH. */
function missingPrograms(...programs: string[]): Absence {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/usr/bin', '/sbin', '/bin'];
  const missing = programs.filter((program) => !folders.some((folder) => runs(program, folder)));
  return missing.length > 0 && `not installed: ${missing.join(', ')}`;
}

function runs(program: string, folder: string): boolean {
  try {
    accessSync(program.startsWith('/') ? program : join(folder, program), constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
