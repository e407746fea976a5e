// Certificates for tests, and where they are.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Certificate } from '../../services/lmtp/settings.ts';

export function certificateFile(name: string): string {
  return join(import.meta.dirname, 'certificates', name);
}

export function pem(name: string): string {
  return readFileSync(certificateFile(name), 'utf8');
}

/** Of a server; `ca` asks for the client's. */
export function certificateOf(name: string, { ca = false } = {}): Certificate {
  return {
    cert: pem(`${name}.crt`),
    key: pem(`${name}.key`),
    ca: ca ? pem('ca.crt') : undefined,
    minVersion: 'TLSv1.2',
  };
}
