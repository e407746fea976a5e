// The section `lookup`: where MTAs ask by socketmap whether a recipient exists and where his mail goes.
import { z } from 'zod';
import { addressKeys, addressOf, addressProblem, listener } from './address.ts';
import { key } from './key.ts';
import { count, hostName, seconds } from './kinds.ts';

const firstMessage = z
  .strictObject(
    addressKeys({ what: 'of the role lmtp', host: '127.0.0.1', port: 2003, path: '/run/rookery/lmtp.sock', lowest: 1 }),
  )
  .superRefine((address, context) => {
    const problem = addressProblem(address);
    if (problem) context.addIssue({ code: 'custom', path: [problem[0]], message: problem[1] });
  })
  .transform((address) => addressOf(address));

/** No colon, which ends it in `lmtp:inet:...`, and no space. */
const serviceName = z.string().regex(/^[A-Za-z0-9_.-]{1,64}$/);

const transport = key(
  z
    .strictObject({
      domains: key(z.array(hostName).default([]), {
        doc: 'The domains that the map `transport` answers for: those of the users behind Rookery. Postfix asks it about every address, and of other domains it knows nothing (NOTFOUND). Without any domain there is no such map.',
        expects: 'a list of domain names',
        example: ['example.org'],
      }),
      service: key(serviceName.default('lmtp'), {
        doc: "The LMTP client that it names: its service name in Postfix' master.cf.",
        expects: 'a service name of 1 to 64 letters, digits, _, . and -',
        example: 'rookery',
      }),
      first_message: key(z.exactOptional(firstMessage), {
        doc: 'Where role lmtp takes mail, as the MTA reaches it: the way for users whom their first message makes (users.autocreate), for only that role makes them.',
        expects: '{ host, port } or { path }',
        example: { host: '127.0.0.1', port: 2003 },
        otherwise: 'none; must be given where domains and users.autocreate.names are',
      }),
    })
    .prefault({}),
  {
    doc: 'The map `transport`, for MTAs that deliver to the backends themselves, past role lmtp.',
    expects: 'a section of keys',
    example: { domains: ['example.org'], first_message: { host: '127.0.0.1', port: 2003 } },
  },
);

export const lookupSection = key(
  z
    .strictObject({
      listen: key(z.exactOptional(z.array(listener({ port: 2004, path: '/run/rookery/lookup.sock' })).min(1)), {
        doc: 'Where MTAs ask by socketmap: TCP ports and Unix sockets. Whoever may connect can find out who exists: keep it on loopback, or on the network of the MTAs.',
        expects: 'a list of one or more { host, port } or { path }',
        example: [{ host: '127.0.0.1', port: 2004 }, { path: '/run/rookery/lookup.sock' }],
        otherwise: 'nowhere with `rookery up`; 127.0.0.1:2004 with `rookery run lookup`',
      }),
      transport,
      connections_limit: count({
        doc: 'The most connections at a time, over all listeners. For a further one that is closed which has waited longest without a question. Each Postfix process that looks recipients up has one.',
        min: 1,
        max: 100_000,
        default: 1000,
      }),
      idle_timeout: seconds({
        doc: 'How long a client may take to its next whole question, or to read an answer. Postfix itself closes after 10 s without one.',
        default: 360,
      }),
      request_limit: count({
        doc: 'The longest request, name of the map and key together; whoever sends a longer one is told PERM, and hung up on.',
        unit: 'bytes',
        min: 512,
        max: 1_048_576,
        default: 4096,
      }),
      socket_mode: key(
        z
          .string()
          .regex(/^0?[0-7]{3}$/)
          .default('0666'),
        {
          doc: 'The file mode of Unix sockets: who may connect. The folder they are in is a gate of its own.',
          expects: 'three octal digits in quotes',
          example: '0660',
        },
      ),
    })
    .prefault({}),
  {
    doc: 'Questions of MTAs by socketmap (role lookup): whether a recipient exists (map `mailbox`), and which way his mail goes (map `transport`). Recipients are read as under lmtp.',
    expects: 'a section of keys',
    example: { listen: [{ host: '127.0.0.1', port: 2004 }] },
  },
);
