// The log: JSON lines with ISO times, and no secrets in them.
import { pino } from 'pino';
import type { DestinationStream, Logger } from 'pino';
import { isAway } from '../redis/away.ts';

export type { Logger } from 'pino';

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
    serializers: { err: errorFields, error: errorFields },
    redact: { paths: redacted, censor: '(hidden)' },
  };
  return pino(settings, options.destination ?? standardError());
}

/** An error's fields. Where it only says that somebody does not answer, the stack tells nothing and would be there each time. */
function errorFields(error: Error): object {
  const fields = pino.stdSerializers.err(error);
  if (!isAway(error)) return fields;
  // Where several addresses were tried the message is empty.
  const { type, message, code } = fields;
  return { type, message: message || String(code), code: code as unknown };
}

/**
 * The same log for lines that hold no secrets by their making: they are not searched for any, which took 7 % of the CPU
 * of a delivery.
 */
export function unsearched(logger: Logger): Logger {
  return logger.child({}, { redact: [] });
}

/** What is kept of the log while nobody takes it, in bytes; lines beyond it are dropped. */
const mostKept = 16_777_216;

/**
 * A disk that is full, or a reader that is gone, must not end a mail server: the lines are kept, in bounds, and written
 * with the next one that can be.
 */
function standardError(): DestinationStream {
  const destination = pino.destination({ fd: 2, sync: false, maxLength: mostKept });
  let failing = false;
  destination.on('error', () => (failing = true));
  destination.on('write', () => (failing = false));
  // At the end of the process it would try again for ever.
  const flushSync = destination.flushSync.bind(destination);
  destination.flushSync = () => {
    if (!failing) flushSync();
  };
  return destination;
}
