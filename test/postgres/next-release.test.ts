// A deploy: this release continues, and starts, on tables that the next one has migrated, unless that one forbids it.

import { describe, expect, test } from 'vitest';
import {
  contractionOf,
  expansionOf,
  expectWholeService,
  migrationsOf,
  NEXT_RELEASE_ENVIRONMENT,
  tellBackend,
} from '../support/next-release.ts';
import { query, SERVERS, useDatabases } from './databases.ts';
import { startMachines } from './machines.ts';

describe.each(SERVERS)('PostgreSQL $major', (server) => {
  const { newEmptyDatabase } = useDatabases(server);

  test('runs on tables of the next release, until that one forbids it', async () => {
    const url = await newEmptyDatabase();
    const { first, start } = await startMachines(url, NEXT_RELEASE_ENVIRONMENT);
    const receiver = await tellBackend(first);
    await expectWholeService({ running: first, receiver }, 'aa');

    const found = await query(
      url,
      `SELECT relname AS name FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace`,
    );
    const tables = found.map(({ name }) => String(name));
    expect(tables).toContain('deliveries');
    for (const statement of expansionOf('postgres', tables)) await query(url, statement);
    await expectWholeService({ running: first, receiver }, 'bb');
    await first.restart();
    await expectWholeService({ running: first, receiver }, 'cc');

    await query(url, contractionOf('postgres'));
    const known = migrationsOf('postgres');
    await expect(start()).rejects.toMatchObject({
      name: 'DatabaseRefusedError',
      kind: 'migration_mismatch',
      message: expect.stringMatching(
        new RegExp(
          `read from ${known + 1} migrations on, this version knows ${known}\\. .*Start the version that wrote it or a newer`,
        ),
      ),
    });
    // A running service is not stopped: the release that contracts comes only after the last machine of this one has
    // gone.
    await expectWholeService({ running: first, receiver }, 'dd');
  });
});
