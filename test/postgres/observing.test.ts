// What an operator sees of a machine over PostgreSQL besides the pushes: its name, and a warning about commits that are
// not safe.

import { describe, expect, test } from 'vitest';
import { setup } from '../support/service.ts';
import { query, SERVERS, useDatabases } from './databases.ts';

describe.each(SERVERS)('PostgreSQL $major', (server) => {
  const { newDatabase, newCopy } = useDatabases(server);

  test('names the machine in the metrics as the table nodes does', async () => {
    const NDS_DATABASE = await newDatabase();
    const { service } = await setup({
      environment: { NDS_DATABASE, NDS_DRAIN: '0ms', NDS_METRICS_ADDRESS: '127.0.0.1:0' },
    });
    const [node] = await query(NDS_DATABASE, 'SELECT id FROM nodes');
    const page = await (await fetch(service.metricsUrl ?? '')).text();
    expect(page).toContain(`nds_node_info{node="${node?.id}"} 1\n`);
  });

  test('is ready and says so if a crash of the database may lose commits', async () => {
    const NDS_DATABASE = await newDatabase();
    const { service, restart } = await setup({ environment: { NDS_DATABASE, NDS_DRAIN: '0ms' } });
    const safe = await fetch(`${service.url}/readyz`);
    expect(await safe.text()).not.toContain('synchronous_commit');
    // The setting applies to new connections, and a pooler keeps its old ones.
    const other = await newCopy();
    const name = new URL(other).pathname.slice(1);
    await query(server.url, `ALTER DATABASE ${name} SET synchronous_commit = off`);
    const { url } = await restart({ NDS_DATABASE: other });
    const unsafe = await fetch(`${url}/readyz`);
    expect(unsafe.status).toBe(safe.status);
    expect(await unsafe.json()).toMatchObject({
      checks: {
        commits: {
          status: 'degraded',
          detail: expect.stringContaining('synchronous_commit is off'),
        },
      },
    });
  });
});
