// `npm run test:pooler`: the tests of `npm run test:postgres` through PgBouncer in transaction mode.

import { defineConfig } from 'vitest/config';
import direct from './vitest.config.ts';

export default defineConfig({
  test: {
    ...direct.test,
    // These tests have servers of their own.
    exclude: ['**/node_modules/**', 'test/postgres/drill/**', 'test/postgres/tls.test.ts'],
    globalSetup: ['test/postgres/poolers.ts'],
  },
});
