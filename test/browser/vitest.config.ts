// `npm run test:browser`: the page in Chromium, which `npm test` does not need.

import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/browser/**/*.test.ts'],
    pool: 'forks',
    maxWorkers: 1,
    retry: 0,
    allowOnly: false,
    testTimeout: 240_000,
    hookTimeout: 60_000,
  },
});
