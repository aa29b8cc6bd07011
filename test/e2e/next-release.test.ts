// A rollback: this release runs on a file that the next one has migrated, unless that one forbids it.

import Database from 'better-sqlite3';
import { expect, test } from 'vitest';
import {
  contractionOf,
  expansionOf,
  expectWholeService,
  migrationsOf,
  NEXT_RELEASE_ENVIRONMENT,
  tellBackend,
} from '../support/next-release.ts';
import { setup } from '../support/service.ts';

test('runs on a file of the next release, until that one forbids it', async () => {
  const running = await setup({ environment: NEXT_RELEASE_ENVIRONMENT });
  const receiver = await tellBackend(running);
  await expectWholeService({ running, receiver }, 'aa');
  await running.service.stop();

  const change = (statements: readonly string[]) => {
    const db = new Database(running.environment.NDS_DATABASE);
    for (const statement of statements) db.exec(statement);
    db.close();
  };
  const db = new Database(running.environment.NDS_DATABASE);
  const tables = db
    .prepare<[], string>(
      `SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'`,
    )
    .pluck()
    .all();
  db.close();
  expect(tables).toContain('deliveries');
  change(expansionOf('sqlite', tables));
  await running.restart();
  await expectWholeService({ running, receiver }, 'bb');

  await running.service.stop();
  change([contractionOf('sqlite')]);
  const known = migrationsOf('sqlite');
  await expect(running.restart()).rejects.toMatchObject({
    name: 'DatabaseRefusedError',
    kind: 'migration_mismatch',
    message: expect.stringMatching(
      new RegExp(
        `read from ${known + 1} migrations on, this version knows ${known}\\. .*Start the version that wrote it or a newer`,
      ),
    ),
  });
});
