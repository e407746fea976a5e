// The source of change events in a process of its own, for tests that kill it: `node source-process.ts DIRECTORY-SOCKET
// EVENTS-SOCKET`. It says `ready` when it reads, or stands by.
import { openCounts } from './change-source.ts';
import { openScratchDirectory } from './directory.ts';

const [, , directorySocket = '', eventsSocket = ''] = process.argv;
const { directory } = await openScratchDirectory(directorySocket);
const { source, queues } = openCounts(eventsSocket);
await queues.connected();
source(directory, { lostAfter: 500 });
process.stdout.write('ready\n');
