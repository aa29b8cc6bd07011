// `npm run test:pooler`: the tests of `npm run test:postgres` through PgBouncer in transaction mode.

import { mergeConfig } from 'vitest/config';
import direct from './vitest.config.ts';

export default mergeConfig(direct, {
  // The drill starts and kills a server of its own.
  test: {
    exclude: ['test/postgres/drill/**'],
    globalSetup: ['test/postgres/servers.ts', 'test/postgres/poolers.ts'],
  },
});
