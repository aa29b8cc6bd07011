// `npm run test:foreign`: the service with servers that others wrote. It needs programs that npm does not install, Java
// with Maven and Python, and takes real time.

import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/foreign/**/*.test.ts'],
    pool: 'forks',
    maxWorkers: 1,
    retry: 0,
    allowOnly: false,
    testTimeout: 60_000,
    // The first run downloads the servers' packages.
    hookTimeout: 300_000,
  },
});
