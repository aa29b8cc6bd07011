import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    pool: 'forks',
    // Of two cores, vitest would use one: it keeps one for itself, which it does not need.
    maxWorkers: Math.max(2, availableParallelism() - 1),
    // No retries, and a test that was left out on purpose fails the run.
    retry: 0,
    allowOnly: false,
    testTimeout: 30_000,
    hookTimeout: 30_000,
  },
});
