// `npm run test:pooler`: the tests of `npm run test:postgres` through PgBouncer in transaction mode.

import { mergeConfig } from 'vitest/config';
import direct from './vitest.config.ts';

export default mergeConfig(direct, {
  // They have servers of their own.
  test: {
    exclude: ['test/postgres/drill/**', 'test/postgres/tls.test.ts'],
    globalSetup: ['test/postgres/servers.ts', 'test/postgres/poolers.ts'],
  },
});
