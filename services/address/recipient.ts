// Which mailbox a recipient means, and how its address is handed on: Cyrus' rules, under Cyrus' option names.
import { lowerCase, readable, type Bytes } from './bytes.ts';
import { externalName } from './external-name.ts';
import { foldersOf, mailboxName } from './mailbox-name.ts';
import { parsePath, type Path } from './path.ts';

export interface RecipientSettings {
  /**
   * `off`: domains are ignored altogether. `userid` and `on`: the domain is part of the name; they differ in what an
   * address without one means to a client's login, and an LMTP recipient without one is in the default domain.
   */
  virtdomains: 'off' | 'userid' | 'on';
  /** The domain whose mailboxes carry none in their names. */
  defaultdomain: string;
  /** Whether folders in an address are separated by `/` rather than `.`. */
  unixhierarchysep: boolean;
  /** Whether user and domain are taken in lower case; the detail never is. */
  lmtp_downcase_rcpt: boolean;
  /** The local part that stands for "no user, a shared folder": empty in `+news.local`, `bb` in `bb+news.local`. */
  postuser: string;
  /** Whether octets above 127 are refused in paths: the second argument of `parsePath`. */
  lmtp_strict_rfc2821: boolean;
}

/** What else an address may mean, where its mailbox is not there. */
export interface FallbackSettings {
  /** Whether a shared folder that is not there is replaced by the one whose name is closest (fuzzy-match.ts). */
  lmtp_fuzzy_mailbox_match?: boolean;
  /** The user who gets what nobody else does, with or without a domain; empty or left out: nobody. */
  lmtp_catchall_mailbox?: string;
}

export interface Target {
  /** The name to look up; empty when no mailbox can have one by this address, which is then surely unknown. */
  mailbox: Bytes;
  /** A shared folder: its ACL must grant the sender `p`. A user's INBOX takes mail from anyone. */
  shared: boolean;
  /** The forward-path for the backend, without its angle brackets. */
  deliverAs: Bytes;
  /** How it was found, a sentence a step. */
  steps: string[];
}

/** The address, taken apart at its last `@` and its first `+`. */
interface Parts {
  user: Bytes;
  /** Undefined without a `+`. */
  detail: Bytes | undefined;
  domain: Bytes | undefined;
}

/**
 * What a recipient means. A user's address is looked up by its INBOX alone, whatever the detail: the backend finds the
 * folder or falls back to the INBOX. A shared folder is looked up by its full name.
 */
export function targetOf(path: Path, settings: RecipientSettings): Target {
  const steps = [`address: ${readable(path.raw)}`];
  const parts = downcased(partsOf(path), settings, steps);
  const domain = nameDomain(parts.domain, settings, steps);
  const shared = isPostuser(parts.user, settings);
  const mailbox = shared ? sharedFolder(parts, domain, settings, steps) : inbox(parts, domain, steps);
  steps.push(mailbox === '' ? 'mailbox: none can have a name by this address' : `mailbox: ${readable(mailbox)}`);
  const deliverAs = handedOn(parts);
  steps.push(`handed on as: ${readable(deliverAs)}`);
  return { mailbox, shared, deliverAs, steps };
}

/**
 * The target once more, for the shared folder that is closest to what it says. It is handed on under the name that was
 * found, for the backend may not match as we do; where an address can't say that name (one with a space), as it came.
 */
export function nearTarget(target: Target, path: Path, mailbox: Bytes, settings: RecipientSettings): Target {
  const deliverAs = addressOf(path, mailbox, settings) ?? target.deliverAs;
  const steps = [
    `close names (lmtp_fuzzy_mailbox_match): ${readable(mailbox)} is the closest`,
    `mailbox: ${readable(mailbox)}`,
    `handed on as: ${readable(deliverAs)}`,
  ];
  return { mailbox, shared: true, deliverAs, steps };
}

/** The target once more, where no shared folder is close to it. */
export function noneNear(target: Target): Target {
  return { ...target, steps: ['close names (lmtp_fuzzy_mailbox_match): there are none'] };
}

/** The address of a shared folder, at the domain of another address; undefined where none means it. */
function addressOf({ domain }: Path, mailbox: Bytes, settings: RecipientSettings): Bytes | undefined {
  const { unixhierarchysep, postuser, lmtp_strict_rfc2821: strict } = settings;
  const folder = externalName(mailbox.slice(mailbox.indexOf('!') + 1), unixhierarchysep ? '/' : '.');
  const address = `${postuser}+${folder}${domain === undefined ? '' : `@${domain}`}`;
  const parsed = parsePath(`<${address}>`, strict);
  if (folder === undefined || 'error' in parsed || parsed.rest !== '') return undefined;
  const meant = targetOf(parsed.path, settings);
  return meant.mailbox === mailbox ? meant.deliverAs : undefined;
}

/** The INBOX of whoever gets what nobody else does; undefined where nobody is set, and where no mailbox can be his. */
export function catchAllTarget(settings: RecipientSettings & FallbackSettings): Target | undefined {
  const address = settings.lmtp_catchall_mailbox ?? '';
  if (address === '') return undefined;
  const at = address.lastIndexOf('@');
  const user = at < 0 ? address : address.slice(0, at);
  const steps = [`catch-all: ${readable(address)} (lmtp_catchall_mailbox)`];
  const domain = nameDomain(at < 0 ? undefined : address.slice(at + 1), settings, steps);
  const mailbox = mailboxName({ domain, user, folders: [] });
  steps.push(`mailbox: ${readable(mailbox)}`, `handed on as: ${readable(address)}`);
  return mailbox === '' ? undefined : { mailbox, shared: false, deliverAs: address, steps };
}

/** Quoted local parts are not unquoted: `"a b"` is the user `"a b"`, quotes and all. */
function partsOf(path: Path): Parts {
  const plus = path.local.indexOf('+');
  if (plus < 0) return { user: path.local, detail: undefined, domain: path.domain };
  return { user: path.local.slice(0, plus), detail: path.local.slice(plus + 1), domain: path.domain };
}

function downcased(parts: Parts, settings: RecipientSettings, steps: string[]): Parts {
  if (!settings.lmtp_downcase_rcpt) return parts;
  const domain = parts.domain === undefined ? undefined : lowerCase(parts.domain);
  const lower = { ...parts, user: lowerCase(parts.user), domain };
  if (lower.user !== parts.user || domain !== parts.domain)
    steps.push('user and domain in lower case (lmtp_downcase_rcpt)');
  return lower;
}

/**
 * The domain as it stands in the name. The default domain is recognised in any case (RFC 5321 section 2.4), where Cyrus
 * finds nobody at `Example.ORG` unless it lowers it (`lmtp_downcase_rcpt`).
 */
function nameDomain(domain: Bytes | undefined, settings: RecipientSettings, steps: string[]): Bytes | undefined {
  if (domain === undefined) return undefined;
  if (settings.virtdomains === 'off') {
    steps.push(`domain ${readable(domain)}: ignored (virtdomains: off)`);
    return undefined;
  }
  if (lowerCase(domain) === lowerCase(settings.defaultdomain)) {
    steps.push(`domain ${readable(domain)}: the default domain, not part of the name (defaultdomain)`);
    return undefined;
  }
  steps.push(`domain ${readable(domain)}: part of the name (virtdomains: ${settings.virtdomains})`);
  return domain;
}

function isPostuser(user: Bytes, settings: RecipientSettings): boolean {
  return settings.lmtp_downcase_rcpt ? user === lowerCase(settings.postuser) : user === settings.postuser;
}

function sharedFolder(parts: Parts, domain: Bytes | undefined, settings: RecipientSettings, steps: string[]): Bytes {
  const separator = settings.unixhierarchysep ? '/' : '.';
  const folders = foldersOf(parts.detail ?? '', separator);
  steps.push(
    `user "${readable(parts.user)}": stands for shared folders (postuser); levels are separated by "${separator}"`,
  );
  return mailboxName({ domain, user: undefined, folders });
}

function inbox(parts: Parts, domain: Bytes | undefined, steps: string[]): Bytes {
  steps.push(`user: ${readable(parts.user)}`);
  if (parts.detail !== undefined)
    steps.push(`detail ${readable(parts.detail)}: left to the backend; the INBOX decides`);
  return mailboxName({ domain, user: parts.user, folders: [] });
}

/**
 * The address as it came, so that the backend's Sieve scripts and log see what the sender wrote; Cyrus' proxy puts
 * `@internal` on it. Only what was lowered is rewritten: a backend that minds case must find the mailbox that we found.
 */
function handedOn(parts: Parts): Bytes {
  const local = parts.detail === undefined ? parts.user : `${parts.user}+${parts.detail}`;
  return parts.domain === undefined ? local : `${local}@${parts.domain}`;
}
