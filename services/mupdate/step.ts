// What a session wants after each thing it took: something said, something done, in which order.
import type { Write, Writer } from '../directory/directory.ts';
import type { Bytes } from '../directory/entry.ts';

/** What the directory, or the connection, must do before the next command is looked at. */
export type Task =
  | { do: 'login'; username: string }
  /** `say` is to be sent after a pause: a guess shall cost time. */
  | { do: 'login-failed'; reason: string }
  | { do: 'write'; tag: Bytes; write: Write; writer: Writer }
  | { do: 'find'; tag: Bytes; name: Bytes }
  /** `push`: the server whose push begins with this list. */
  | { do: 'list'; tag: Bytes; prefix: Bytes; push: Bytes | undefined }
  | { do: 'update'; tag: Bytes; hosts: readonly Bytes[] }
  /** In a stream: first everything up to now. */
  | { do: 'noop'; tag: Bytes }
  /** `heard`: the server whose push is complete, to be told to the directory before `say`. */
  | { do: 'logout'; heard: Bytes | undefined }
  | { do: 'end'; reason: string }
  /** Without a word, which UPDATE would be misread by (see `isUpdate`). */
  | { do: 'hang-up'; reason: string }
  /** The session turns out to come from another host than the active one of its server: it has no say. */
  | { do: 'passive'; server: Bytes; active: string };

export interface Step {
  /** To be sent; empty when the task's outcome decides. */
  say: Bytes;
  /** A write that could not even be read: to its client it is refused. */
  refused?: true;
  /** The server that an unbound session speaks for from this very command on: to be known before the task. */
  bound?: Bytes;
  task?: Task;
}
