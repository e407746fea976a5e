// Trees of which a copy is being made ahead of their move: until it is over, none of their names is handed to another server.
import type { Bytes } from './entry.ts';

/**
 * Cyrus' XFER copies a tree, and then says DEACTIVATE. Where that is answered NO it gives up: the tree is what it was, and
 * its copy stays at the other server. So a move copies ahead while mail goes on, and the XFER that cuts has little left
 * to do. Mail is not put off by it, and nobody's memory of rows is touched.
 */
export interface Copies {
  /** From now on DEACTIVATE is refused for each name of the tree, for so many milliseconds at the most; may be repeated. */
  begin(name: Bytes, milliseconds: number): Promise<void>;
  /** It is over; nothing happens where none was under way. */
  end(name: Bytes): Promise<void>;
}
