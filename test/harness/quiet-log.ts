// A logger that says nothing, for what is not the test's matter.
export const quietLog = {
  error: (): void => undefined,
  warn: (): void => undefined,
  info: (): void => undefined,
  debug: (): void => undefined,
};
