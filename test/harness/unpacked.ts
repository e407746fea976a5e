// Debian packages that are unpacked beside the machine's own: infra/local/unpack.sh brings them, test/run.sh has it do so.
import { join } from 'node:path';

const packages = join(import.meta.dirname, '../../var/packages');

/** The script that runs a command as if they were installed. */
function view(...names: string[]): string {
  return join(packages, names.join('+'), 'view');
}

export const EXIM_VIEW = view('exim4-daemon-light');
export const DOVECOT_VIEW = view('dovecot-core', 'dovecot-lmtpd');
