// Signals: SIGINT and SIGTERM stop in order, a second one ends the process at once; SIGHUP never
// ends it, and means a reload once there is something to reload.

const STOPPING = ['SIGINT', 'SIGTERM'] as const;

export interface StopSignals {
  /** Resolves at the first signal. */
  readonly first: Promise<void>;
  /** Calls back at every SIGHUP from now on. */
  onHangUp(listener: () => void): void;
  /** From now on signals do what they do by default. */
  release(): void;
}

/**
 * To be called before there is anything to stop: a supervisor may stop the process while it still starts, and what
 * was opened by then must be closed all the same.
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
  // A terminal that was closed is no reason to end.
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
