import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    pool: 'forks',
    // No retries, and a test that was left out on purpose fails the run.
    retry: 0,
    allowOnly: false,
    testTimeout: 30_000,
    hookTimeout: 30_000,
  },
});
