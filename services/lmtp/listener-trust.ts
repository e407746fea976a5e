// What a client may do, by the address that it comes from and by whom it has proved to be.
import type { LmtpSettings } from './settings.ts';

export interface Trust {
  /** It may hand in messages. */
  submit: boolean;
  /** AUTH= and IGNOREQUOTA of MAIL and RCPT count, since it knows its senders. */
  believed: boolean;
  /** It may say for whom it speaks. */
  xforward: boolean;
}

/**
 * `client` is empty on a Unix socket: whoever may open it is trusted, as by Cyrus. `user` has authenticated, undefined
 * when nobody has.
 */
export function trustOf(
  client: string,
  user: string | undefined,
  auth: 'required' | 'optional',
  settings: Pick<LmtpSettings, 'preauth_networks' | 'xforward_networks'>,
): Trust {
  const local = client === '';
  const believed = local || user !== undefined || settings.preauth_networks.has(client);
  return {
    submit: believed || auth === 'optional',
    believed,
    xforward: local || settings.xforward_networks.has(client),
  };
}
