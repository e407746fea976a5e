// Who posts a message, as far as rights at shared folders go.
import { xtextValue } from '../address/xtext.ts';
import { anonymous } from '../directory/access.ts';
import type { Bytes } from '../directory/entry.ts';
import type { Sender } from './message-handler.ts';

/** The user of AUTH=; whoever gives none, `<>`, or what is no xtext, is nobody in particular, as in Cyrus. */
export function posterOf({ auth }: Pick<Sender, 'auth'>): Bytes {
  if (auth === undefined || auth === '<>') return anonymous;
  return xtextValue(auth) ?? anonymous;
}
