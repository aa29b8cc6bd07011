// Signals: SIGINT and SIGTERM stop in order, a second one ends the process at once. SIGHUP never ends the process; it
// reloads, once the service can.

const STOPPING = ['SIGINT', 'SIGTERM'] as const;

export interface StopSignals {
  /** Resolves at the first signal. */
  readonly first: Promise<void>;
  /** Calls `listener` at every SIGHUP from now on. */
  onHangUp(listener: () => void): void;
  /** From now on signals have their default effect. */
  release(): void;
}

/**
 * Call it before there is anything to stop: a supervisor may stop the process while it still starts, and everything
 * opened by then must be closed.
 */
export function catchStopSignals(): StopSignals {
  const { promise: first, resolve } = Promise.withResolvers<void>();
  const onSecond = () => process.exit(1);
  const onFirst = () => {
    for (const signal of STOPPING) {
      process.off(signal, onFirst);
      process.once(signal, onSecond);
    }
    resolve();
  };
  let listener: (() => void) | undefined;
  // Closing the terminal must not end the process.
  const onHangUp = () => listener?.();
  process.on('SIGHUP', onHangUp);
  for (const signal of STOPPING) process.once(signal, onFirst);
  const release = () => {
    process.off('SIGHUP', onHangUp);
    for (const signal of STOPPING) process.off(signal, onFirst).off(signal, onSecond);
  };
  return {
    first,
    onHangUp: (added) => {
      listener = added;
    },
    release,
  };
}
