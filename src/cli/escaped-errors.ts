// The last resort: an error that nothing caught, thrown or rejected. The state of the process is unknown after it, so
// it is reported, the service drains, and the process ends with 1.

import { stackOf } from '../observe/stack.ts';

export interface EscapedErrors {
  /** Resolves when the first error was reported. */
  readonly first: Promise<void>;
  /** Errors go to `report` from now on. Before that there is nothing to drain, and the process ends at once. */
  reportTo(report: (stack: string) => void): void;
  release(): void;
}

/** A rejection without a handler is thrown by Node and comes here too. */
export function catchEscapedErrors(): EscapedErrors {
  const { promise: first, resolve } = Promise.withResolvers<void>();
  let report = (stack: string): void => {
    process.stderr.write(`nds: internal error\n${stack}\n`);
    process.exit(1);
  };
  const onError = (error: unknown) => {
    report(stackOf(error));
    resolve();
  };
  process.on('uncaughtException', onError);
  return {
    first,
    reportTo: (to) => {
      report = to;
    },
    release: () => process.off('uncaughtException', onError),
  };
}
