// The files with certificates and keys: looked at while loading, so that a wrong one is known before it is needed.
import { readFileSync } from 'node:fs';
import { createSecureContext } from 'node:tls';
import { tlsOf } from './lmtp-listen.ts';
import type { Config } from './schema.ts';
import { faultAt } from './structure.ts';
import type { Fault } from './structure.ts';
import type { Path } from './walk.ts';

/** Everything that is wrong with the files that `lmtp` names. */
export function tlsFaults(config: Config): Fault[] {
  const faults: Fault[] = [];
  const fault = (path: Path, expected: string): void => {
    faults.push(faultAt(config, path, expected));
  };
  const { lmtp } = config;
  const ca = lmtp.tls_client_ca_file;
  if (ca !== undefined) {
    const wrong = wrongAs(() => createSecureContext({ ca: certificates(ca) }));
    if (wrong !== undefined) fault(['lmtp', 'tls_client_ca_file'], `a file of certificates in PEM: ${wrong}`);
  }
  const looked = new Set<string>();
  for (const [index, listener] of lmtp.listen.entries()) {
    const own = listener.tls_server_cert !== undefined || listener.tls_server_key !== undefined;
    const place: Path = own ? ['lmtp', 'listen', index] : ['lmtp'];
    const { mode, cert, key } = tlsOf(listener, lmtp);
    if (cert === undefined && key === undefined) {
      if (mode !== 'off') fault(['lmtp', 'listen', index, 'tls'], 'off where there is no tls_server_cert');
    } else if (cert === undefined)
      fault([...place, 'tls_server_cert'], 'the file of the certificate to tls_server_key');
    else if (key === undefined) fault([...place, 'tls_server_key'], 'the file of the private key to tls_server_cert');
    else if (!looked.has(`${cert}\n${key}`)) {
      looked.add(`${cert}\n${key}`);
      const noCert = wrongAs(() => createSecureContext({ cert: certificates(cert) }));
      const noKey = wrongAs(() => createSecureContext({ key: readFileSync(key, 'utf8') }));
      if (noCert !== undefined) fault([...place, 'tls_server_cert'], `a file of certificates in PEM: ${noCert}`);
      if (noKey !== undefined) fault([...place, 'tls_server_key'], `a file of a private key in PEM: ${noKey}`);
      if (noCert !== undefined || noKey !== undefined) continue;
      const unfit = wrongAs(() => createSecureContext({ cert: certificates(cert), key: readFileSync(key, 'utf8') }));
      if (unfit !== undefined) fault([...place, 'tls_server_key'], `the key to tls_server_cert: ${unfit}`);
    }
  }
  return faults;
}

/** OpenSSL takes a text without any certificate for an empty list. */
function certificates(file: string): string {
  const text = readFileSync(file, 'utf8');
  if (!text.includes('-----BEGIN')) throw new Error('there is none in it');
  return text;
}

/** Why it can't be done, without anything that the file holds; undefined when it can. */
function wrongAs(attempt: () => unknown): string | undefined {
  try {
    attempt();
    return undefined;
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return 'there is no such file';
    if (code === 'EACCES' || code === 'EPERM') return 'this user may not read it';
    return message.slice(0, 100);
  }
}
