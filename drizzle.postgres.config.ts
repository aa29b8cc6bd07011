// The same as drizzle.config.ts for PostgreSQL: `npm run migration:postgres`.

import { defineConfig } from 'drizzle-kit';

export default defineConfig({
  dialect: 'postgresql',
  schema: ['', 'device-', 'event-', 'receipt-', 'record-'].map(
    (area) => `./src/stores/postgres/${area}schema.ts`,
  ),
  out: './drizzle/postgres',
});
