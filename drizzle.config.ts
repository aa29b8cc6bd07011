// How drizzle-kit writes the SQL migrations of the log from its schema: `npx drizzle-kit generate`.

import { defineConfig } from 'drizzle-kit';

export default defineConfig({
  dialect: 'sqlite',
  schema: ['schema.ts', 'device-schema.ts', 'receipt-schema.ts', 'event-schema.ts'].map(
    (file) => `./src/stores/sqlite/${file}`,
  ),
  out: './drizzle/sqlite',
});
