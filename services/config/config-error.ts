// Why a configuration is refused: every key that is wrong, its value, and what it may be.

export interface Problem {
  /** Where: `lmtp.size_limit`; `line 3, column 5` of a file that is no YAML; a variable's name. */
  key: string;
  /** The value as it was written, or `(hidden)`, or what is the case where there is none: `missing`. */
  value: string;
  /** What may stand there: fits after "it may be". */
  expected: string;
}

/** Nothing of a configuration is used when any of it is wrong. */
export class ConfigError extends Error {
  readonly problems: readonly Problem[];

  constructor(source: string, problems: readonly Problem[]) {
    const lines = problems.map(({ key, value, expected }) => `  ${key} is ${value}; it may be ${expected}`);
    super([`${source} is refused:`, ...lines].join('\n'));
    this.name = 'ConfigError';
    this.problems = problems;
  }
}
