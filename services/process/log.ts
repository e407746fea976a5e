// What the rooms of this house say to the log: fields, then a sentence.

export type LogLine = (fields: object, text: string) => void;

export interface Log {
  debug: LogLine;
  info: LogLine;
  warn: LogLine;
  error: LogLine;
}
