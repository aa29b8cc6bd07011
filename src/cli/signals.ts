// SIGINT and SIGTERM: the first stops in order, a second ends the process at once.

const SIGNALS = ['SIGINT', 'SIGTERM'] as const;

export interface StopSignals {
  /** Resolves at the first signal. */
  readonly first: Promise<void>;
  /** From now on signals do what they do by default. */
  release(): void;
}

/**
 * To be called before there is anything to stop: a supervisor may change its mind while we still start, and
 * what was opened by then must be closed all the same.
 */
export function catchStopSignals(): StopSignals {
  const { promise: first, resolve } = Promise.withResolvers<void>();
  const onSecond = () => process.exit(1);
  const onFirst = () => {
    for (const signal of SIGNALS) {
      process.off(signal, onFirst);
      process.once(signal, onSecond);
    }
    resolve();
  };
  for (const signal of SIGNALS) process.once(signal, onFirst);
  const release = () => {
    for (const signal of SIGNALS) process.off(signal, onFirst).off(signal, onSecond);
  };
  return { first, release };
}
