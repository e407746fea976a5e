// What TLS needs, from certificates in PEM.
import type { SecureVersion } from 'node:tls';
import type { Certificate } from './settings.ts';

interface TlsOptions {
  cert?: string;
  key?: string;
  ca?: string | undefined;
  minVersion?: SecureVersion;
  requestCert?: boolean;
  rejectUnauthorized?: boolean;
}

/**
 * For smtp-server; none without a certificate. A client's certificate is asked for where there is something to hold it
 * against; whoever has none that is good may go on, and has proved nothing by it.
 */
export function tlsOptions(certificate: Certificate | undefined): TlsOptions {
  if (certificate === undefined) return {};
  const { cert, key, ca, minVersion } = certificate;
  return { cert, key, minVersion, ca, requestCert: ca !== undefined, rejectUnauthorized: false };
}
