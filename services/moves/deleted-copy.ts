// Whether a copy of a user who was deleted may be removed: it is whole nowhere else, so an administrator has to say so. Pure.
import { readable } from '../address/bytes.ts';
import { isUser } from '../address/user-name.ts';
import type { Copy } from '../directory/copies.ts';
import { isDeletedName } from '../directory/settling.ts';
import { found, heldThere, ownOf, still, unordered, waited } from './left-over.ts';
import type { Remains, Proof } from './left-over.ts';

/** All that is known of such a copy at the moment at which it is to go. */
export interface DeletedFacts extends Remains {
  /** Why the directory does not prove that it has none of the mailboxes; undefined where it does. */
  doubt: string | undefined;
  /** The copy that a move is known to have made of the tree. */
  copy: Copy | undefined;
  /** Other servers that have something of it, or did not answer; each a phrase. */
  others: readonly string[];
}

/**
 * Nothing is proven to be whole elsewhere here, which is why it takes a word of its own. That it is a copy is proven: a move
 * has made it, and the directory has kept that in mind ever since, so that no push of its server brings the user back.
 * Anything else that the directory does not know may be the only copy of somebody who lives.
 */
export function deletionProofsOf(facts: DeletedFacts): Proof[] {
  const common = [found(facts, 'unknown'), waited(facts), heldThere(facts)];
  return [...common, absent(facts), copied(facts), nowhere(facts), still(facts), unordered(facts)];
}

/** What the source keeps of deleted mailboxes for a while is the tree's, too. */
function absent({ rows, server, doubt }: DeletedFacts): Proof {
  const what = 'the directory does not have it';
  const own = ownOf({ rows, server });
  if (own !== undefined) return { what, is: false, note: own };
  const living = rows.find(({ name }) => !isDeletedName(name));
  if (living)
    return { what, is: false, note: `${readable(living.name)} is ${living.state} at ${readable(living.location)}` };
  if (doubt !== undefined) return { what, is: false, note: doubt };
  return { what, is: true, note: 'its absence is proven' };
}

function copied({ tree, server, copy }: DeletedFacts): Proof {
  const what = 'a move has copied it there';
  const at = readable(server);
  if (isUser(tree) && copy?.destination === server && !copy.goesOn)
    return { what, is: true, note: `to ${at}, ahead of its cut` };
  const lives = `if it is to live, restart Cyrus on ${at}, whose start tells the directory of it`;
  const dies = `if not, DELETE it there as an administrator of ${at}`;
  return { what, is: false, note: `it may be the only copy: ${lives}; ${dies}` };
}

function nowhere({ others }: DeletedFacts): Proof {
  const what = 'no other backend has it';
  if (others.length === 0) return { what, is: true, note: 'all were asked' };
  return { what, is: false, note: others.join('; ') };
}
