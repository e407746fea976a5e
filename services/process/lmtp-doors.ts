// The addresses of the role `lmtp`, each with what is asked of its clients; certificates are read here.
import { readFileSync } from 'node:fs';
import { createSecureContext } from 'node:tls';
import type { Address } from '../backends/registry.ts';
import { tlsOf } from '../config/lmtp-listen.ts';
import type { Config } from '../config/schema.ts';
import { tlsOptions } from '../lmtp/listener-tls.ts';
import type { Certificate, Door } from '../lmtp/settings.ts';

export interface Entrance {
  address: Address;
  door: Door;
}

/** In the order of the configuration. Throws when a file can't be read, which loading the configuration has seen to. */
export function entrancesOf({ lmtp }: Config): Entrance[] {
  return lmtp.listen.map((listener) => {
    const { mode, cert, key } = tlsOf(listener, lmtp);
    const certificate = mode === 'off' ? undefined : certificateOf(cert, key, lmtp);
    const { auth, proxy_protocol } = listener;
    return {
      address: 'path' in listener ? { path: listener.path } : { host: listener.host, port: listener.port },
      door: { tls: mode, auth, proxy_protocol, certificate },
    };
  });
}

/** The certificates of the addresses, in their order. Throws when one of them can't be used. */
export function certificatesOf(config: Config): (Certificate | undefined)[] {
  return entrancesOf(config).map(({ door: { certificate } }) => {
    createSecureContext(tlsOptions(certificate));
    return certificate;
  });
}

function certificateOf(cert = '', key = '', lmtp: Config['lmtp']): Certificate {
  const { tls_client_ca_file: ca, tls_min_version: minVersion } = lmtp;
  const read = (file: string): string => readFileSync(file, 'utf8');
  return { cert: read(cert), key: read(key), ca: ca === undefined ? undefined : read(ca), minVersion };
}
