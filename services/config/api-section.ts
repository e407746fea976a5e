// The section `api`: health, metrics and the operators' API by HTTP, and who may use it.
import { z } from 'zod';
import { listener } from './address.ts';
import { key } from './key.ts';
import { choice, count, line } from './kinds.ts';

/** What RFC 6750 section 2.1 lets a bearer token be made of; shorter ones could be guessed. */
const tokenText = z.string().regex(/^[A-Za-z0-9._~+/-]{16,1024}=*$/);

const token = z.strictObject({
  token: key(z.exactOptional(tokenText), {
    doc: 'The token. Better kept in a file of its own: see token_file.',
    expects: 'text of 16 to 1024 of A-Z a-z 0-9 . _ ~ + / -, as `openssl rand -hex 32` makes it',
    example: '3f1c0d2a9b8e7f60',
    otherwise: 'none',
    secret: 'all',
  }),
  token_file: key(z.exactOptional(z.string().min(1)), {
    doc: "The file that holds the token; one newline at its end is not part of it. Relative paths start at the configuration file's folder.",
    expects: 'the path of a readable file, in place of token',
    example: '/etc/rookery/api-operator.token',
    otherwise: 'none',
  }),
  role: choice(['read', 'operate', 'admin'], {
    doc: 'What the token opens: `read` shows, `operate` also has jobs tried again or discarded, and orders new users; `admin` also has users renamed and deleted, says which server a mailbox is at and that the directory is to be trusted, and reads the audit.',
    default: 'read',
  }),
});

/** Names stand in logs and in the change log of the directory. */
const tokenName = line.regex(/^[A-Za-z0-9_.@-]{1,64}$/);

export const apiSection = key(
  z
    .strictObject({
      listen: key(listener({ port: 8025, path: '/run/rookery/api.sock' }).default({ host: '127.0.0.1', port: 8025 }), {
        doc: 'Where /livez, /readyz and /metrics are served, open to everybody, and /v1 and /queues/, which take a token. There is no TLS: elsewhere than on loopback, put a proxy in front that has it.',
        expects: '{ host, port } or { path }',
        example: { host: '127.0.0.1', port: 8025 },
      }),
      tokens: key(z.record(tokenName, token).prefault({}), {
        doc: 'The tokens that open the API, by the name of whoever bears it: the name stands in the audit. Without any, nobody may use it.',
        expects: 'a map of names, each with token or token_file, and role',
        example: { ops: { token_file: '/etc/rookery/api-ops.token', role: 'operate' } },
      }),
      board: choice(['read', 'operate'], {
        doc: 'What bull-board may do under /queues/: `read` only shows the queues, `operate` has tokens of that role change them, too.',
        default: 'read',
      }),
      rate_limit: count({
        doc: 'How many requests a token has a minute; so many has an address that sends none.',
        min: 1,
        max: 1_000_000,
        default: 600,
      }),
      audit_length: count({
        doc: "How many entries of the audit are kept in the events' Redis, where /v1/audit finds them. Each is also a line of the log, with `event` `audit`.",
        min: 1,
        max: 1_000_000,
        default: 10_000,
      }),
    })
    .prefault({}),
  {
    doc: "Health, metrics and the operators' API by HTTP (role api).",
    expects: 'a section of keys',
    example: { listen: { host: '127.0.0.1', port: 8025 } },
  },
);
