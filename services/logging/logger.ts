// The log: JSON lines with ISO times, and no secrets in them.
import { pino } from 'pino';
import type { DestinationStream, Logger } from 'pino';

export interface LoggerOptions {
  /** trace, debug, info, warn, error, fatal or silent: the least grave lines that are written. */
  level: string;
  /** Where the lines go; standard error by default, since standard output is for whoever started the program. */
  destination?: DestinationStream;
}

/** Fields that are never written, at the top of a line and up to two levels below: passwords, and what holds them. */
const secrets = ['password', 'pass', 'secret', 'credentials', 'authorization'];
const redacted = secrets.flatMap((name) => [name, `*.${name}`, `*.*.${name}`]);

/** A logger; lines have `level`, `time`, `pid`, the fields given, and `msg`. */
export function makeLogger(options: LoggerOptions): Logger {
  const settings = {
    level: options.level,
    base: { pid: process.pid },
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
    serializers: { err: pino.stdSerializers.err, error: pino.stdSerializers.err },
    redact: { paths: redacted, censor: '(hidden)' },
  };
  return pino(settings, options.destination ?? pino.destination({ fd: 2, sync: false }));
}
