// How drizzle-kit writes the SQL migrations of the log from its schema: `npx drizzle-kit generate`.

import { defineConfig } from 'drizzle-kit';

export default defineConfig({
  dialect: 'sqlite',
  schema: ['./src/stores/sqlite/schema.ts', './src/stores/sqlite/device-schema.ts'],
  out: './drizzle/sqlite',
});
