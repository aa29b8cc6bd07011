// The servers that all other tests here run on.

import { describe, expect, test } from 'vitest';
import { query, SERVERS, useDatabases } from './databases.ts';

describe.each(SERVERS)('PostgreSQL $major', (server) => {
  const { newEmptyDatabase } = useDatabases(server);

  test('has the version that it claims, and gives every test a database of its own', async () => {
    const [one, other] = [await newEmptyDatabase(), await newEmptyDatabase()];
    expect(one).not.toBe(other);
    const [row] = await query(one, `SELECT current_setting('server_version') AS version`);
    expect(row?.version).toMatch(new RegExp(`^${server.major}\\.`));
    await query(one, 'CREATE TABLE mine (a integer)');
    expect(await query(other, `SELECT to_regclass('mine') AS mine`)).toEqual([{ mine: null }]);
  });
});
