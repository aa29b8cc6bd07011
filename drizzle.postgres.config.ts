// The same as drizzle.config.ts for PostgreSQL: `npm run migration:postgres`.

import { defineConfig } from 'drizzle-kit';

export default defineConfig({
  dialect: 'postgresql',
  schema: [
    'schema.ts',
    'devices/device-schema.ts',
    'events/event-schema.ts',
    'receipts/receipt-schema.ts',
    'records/record-schema.ts',
  ].map((file) => `./src/stores/postgres/${file}`),
  out: './drizzle/postgres',
});
