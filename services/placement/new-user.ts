// What a new user consists of: the steps that make one, in their order.
import { modifiedUtf7 } from '../address/mailbox-name.ts';
import { readable } from '../address/bytes.ts';
import type { Bytes } from '../address/bytes.ts';

/** What is left out is not limited. */
export interface Limits {
  storageKiB?: number;
  messages?: number;
}

/** As the section `users` of the configuration says it. */
export interface UserForm {
  quota: { storage_kib?: number; messages?: number };
  folders: readonly { name: string; special_use?: string; subscribe: boolean }[];
  acl: readonly { identifier: string; rights: string; on: 'inbox' | 'all' }[];
}

/** What was decided about this one user. */
export interface Wish {
  /** The INBOX, by its internal name: `example.org!user.a^b`. */
  inbox: Bytes;
  /** Left out: the backend's own choice. */
  partition?: string;
  /** Takes the form's place; `{}` is no limit at all. */
  quota?: Limits;
}

/** Each may be done again, and finds then that it is done. Names are internal ones. */
export type Step =
  | { do: 'inbox'; name: Bytes; partition?: string }
  | { do: 'quota'; name: Bytes; limits: Limits }
  | { do: 'folder'; name: Bytes; specialUse?: string; partition?: string }
  | { do: 'acl'; name: Bytes; identifier: string; rights: string }
  | { do: 'subscribe'; name: Bytes; folders: readonly Bytes[] };

/**
 * The steps: the INBOX first, for it makes the user; the quota before anything can fill it; the rights after the folders,
 * which would take them over from the INBOX otherwise. Throws on a name that is no INBOX's.
 */
export function newUser(form: UserForm, wish: Wish): Step[] {
  const { inbox, partition, quota = limitsOf(form) } = wish;
  if (!/^(?:[^!]+!)?user\.[^.!]+$/.test(inbox)) throw new Error(`${readable(inbox)} is not the INBOX of a user`);
  const where = partition === undefined ? {} : { partition };
  const folders = form.folders.map((folder) => ({ ...folder, name: folderName(inbox, folder.name) }));
  const subscribed = folders.filter(({ subscribe }) => subscribe).map(({ name }) => name);
  return [
    { do: 'inbox', name: inbox, ...where },
    // No limit needs no step: a mailbox that was just made has none.
    ...(Object.keys(quota).length === 0 ? [] : [{ do: 'quota' as const, name: inbox, limits: quota }]),
    ...folders.map(({ name, special_use }) => ({
      ...{ do: 'folder' as const, name, ...where },
      ...(special_use !== undefined && { specialUse: special_use }),
    })),
    ...form.acl.flatMap(({ identifier, rights, on }) =>
      [inbox, ...(on === 'all' ? folders.map(({ name }) => name) : [])].map((name) => ({
        ...{ do: 'acl' as const, name, identifier, rights },
      })),
    ),
    ...(subscribed.length === 0 ? [] : [{ do: 'subscribe' as const, name: inbox, folders: [inbox, ...subscribed] }]),
  ];
}

function limitsOf({ quota: { storage_kib, messages } }: UserForm): Limits {
  return { ...(storage_kib !== undefined && { storageKiB: storage_kib }), ...(messages !== undefined && { messages }) };
}

/** `Archiv/2026` below the INBOX, in modified UTF-7, a dot inside a level as `^`. */
function folderName(inbox: Bytes, name: string): Bytes {
  const levels = name.split('/').map((level) => modifiedUtf7(Buffer.from(level, 'utf8').toString('latin1')));
  return [inbox, ...levels.map((level) => level.replaceAll('.', '^'))].join('.');
}
