// `npm run test:postgres`: all tests that need a real PostgreSQL, with two major versions.

import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/postgres/**/*.test.ts'],
    exclude: ['**/node_modules/**'],
    globalSetup: ['test/postgres/servers.ts'],
    pool: 'forks',
    maxWorkers: 2,
    retry: 0,
    allowOnly: false,
    testTimeout: 120_000,
    hookTimeout: 60_000,
  },
});
