// The keys `backends.NAME.replica`: how the replica of a backend is brought up to it, by Cyrus' sync_client on its host.
import { z } from 'zod';
import { key } from './key.ts';
import { seconds, word } from './kinds.ts';

/** What a program is given: no shell reads it. */
const words = z.array(word.max(4096));
const absolutePath = z.string().startsWith('/').max(4096);

export const backendReplica = key(
  z.exactOptional(
    z.strictObject({
      sync_client: key(words.min(1).default(['/usr/lib/cyrus/bin/sync_client']), {
        doc: "How the backend's host starts sync_client: the program, and words before its options. It runs as the worker's user, who must be the one whose mail it is; a worker that runs as root names a program that changes the user.",
        expects: 'a list of the program and words that it is given first; no shell reads them',
        example: ['setpriv', '--reuid=cyrus', '--regid=mail', '--init-groups', '/usr/lib/cyrus/bin/sync_client'],
        otherwise: '/usr/lib/cyrus/bin/sync_client',
      }),
      imapd_conf: key(absolutePath.default('/etc/imapd.conf'), {
        doc: 'The imapd.conf that it reads (-C), where sync_host, sync_port, sync_authname and sync_password say which replica it speaks to.',
        expects: 'an absolute path',
        example: '/etc/imapd.conf',
      }),
      options: key(words.default([]), {
        doc: 'Further options for it, as -S and another replica.',
        expects: 'a list of words, one for each option and value',
        example: ['-S', 'replica1.example.org'],
      }),
      folder: key(absolutePath.default('/var/lib/cyrus/sync'), {
        doc: "A folder on the backend's host that belongs to Cyrus' user and to nobody else: for a moment, lists of what sync_client is to replay lie there.",
        expects: 'an absolute path',
        example: '/var/lib/cyrus/sync',
      }),
      timeout: seconds({
        doc: 'How long one run for one user may take before it is ended. What it has brought over by then stays there.',
        default: 3600,
      }),
      connect_timeout: seconds({
        doc: 'How long sync_client may take to reach the replica and log in there, when it is asked whether it can.',
        default: 30,
      }),
    }),
  ),
  {
    doc: "The backend's replica, which workers on the backend's host bring up to it after each change that Rookery knows of: delivered mail, and what the directory is told (mailboxes made, renamed, deleted, their ACL). {} is enough where Cyrus lies where Debian has it. The host names itself under workers.backends.",
    expects: '{}, or a section of keys',
    example: { imapd_conf: '/etc/imapd.conf' },
    otherwise: 'none: nothing is replicated',
  },
);
