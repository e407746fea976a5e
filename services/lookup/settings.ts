// The settings of the socketmap server, and what each is by default.

/** Times are in milliseconds, sizes in octets. */
export interface LookupSettings {
  /** The most connections at a time, over all addresses. Default 1000. */
  connections_limit: number;
  /** How long a client may take to its next whole request, or to read an answer. Default 360000. */
  idle_timeout: number;
  /** The longest request. Default 4096: an address has at most 1,000, and smmapd takes 1024. */
  request_limit: number;
  /** The file mode of Unix sockets: who may connect. Default 0o666, the folder they are in being the gate. */
  socket_mode: number;
}

export const lookupDefaults: LookupSettings = {
  connections_limit: 1000,
  idle_timeout: 360_000,
  request_limit: 4096,
  socket_mode: 0o666,
};
