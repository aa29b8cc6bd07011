// SIGINT and SIGTERM: the first stops in order, a second ends the process at once.

/** Resolves when `stop`, called at the first signal, is done. */
export async function onStopSignal(stop: () => Promise<void>): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const onFirst = () => {
    for (const signal of SIGNALS) {
      process.off(signal, onFirst);
      process.once(signal, () => process.exit(1));
    }
    resolve();
  };
  for (const signal of SIGNALS) process.once(signal, onFirst);
  await promise;
  await stop();
  for (const signal of SIGNALS) process.removeAllListeners(signal);
}

const SIGNALS = ['SIGINT', 'SIGTERM'] as const;
