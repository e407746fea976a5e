// Where a listener is found: a TCP host and port, or the path of a Unix socket.

export type Address = { host: string; port: number } | { path: string };
