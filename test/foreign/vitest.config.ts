// `npm run test:foreign`: the service against servers that nobody here wrote. It needs what npm does not bring, Java with
// Maven and Python, and takes real time.

import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/foreign/**/*.test.ts'],
    pool: 'forks',
    maxWorkers: 1,
    retry: 0,
    allowOnly: false,
    testTimeout: 60_000,
    // The first run fetches the servers' packages.
    hookTimeout: 300_000,
  },
});
