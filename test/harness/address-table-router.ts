// The table of addresses, asked of our router.
import assert from 'node:assert/strict';
import { parsePath } from '../../services/address/path.ts';
import { Registry } from '../../services/backends/registry.ts';
import type { Directory } from '../../services/directory/directory.ts';
import type { Bytes } from '../../services/directory/entry.ts';
import { patient } from '../../services/directory/patience.ts';
import { posterOf } from '../../services/lmtp/poster.ts';
import { badParameters } from '../../services/lmtp/reply-codes.ts';
import { Router } from '../../services/lmtp/router.ts';
import type { TablePart } from './address-table.ts';

const lmtp = { addresses: [{ host: '127.0.0.1', port: 24 }], connections: 1, waiting: 1 };
const registry = new Registry([{ name: 'mail1', mupdate: true, imap: undefined, lmtp }]);

/** Fills a directory, and vouches for it. */
export async function tableDirectory(
  directory: Directory,
  rows: readonly { name: Bytes; location: Bytes; acl: Bytes }[],
): Promise<void> {
  const writer = { session: 's1', server: 'mail1', admin: false, push: false };
  for (const row of rows) {
    const { ok, text } = await directory.write({ verb: 'ACTIVATE', ...row }, writer);
    assert.ok(ok, `${row.name}: ${text}`);
  }
  await directory.vouch('test');
}

/** The mailbox that a recipient is delivered to, or the code of the refusal. */
export async function answered(directory: Directory, part: TablePart, address: Bytes): Promise<string> {
  const { settings, auth } = part;
  const parsed = parsePath(`<${address}>`, settings.lmtp_strict_rfc2821);
  if ('error' in parsed || parsed.rest !== '') {
    const { code, enhanced } = badParameters('');
    return `${code} ${enhanced}`;
  }
  const router = new Router(patient(directory, 10_000), registry, settings);
  const { decision, target } = await router.route(parsed.path, { poster: posterOf({ auth }) });
  return decision.action === 'deliver' ? target.mailbox : `${decision.reply.code} ${decision.reply.enhanced}`;
}
