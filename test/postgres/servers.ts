// Starts a server of each version before the tests and removes them afterwards. If one cannot start, the run fails with
// its output.

import { Client } from 'pg';
import type { TestProject } from 'vitest/node';
import { createSystemClock } from '../../src/service/system.ts';
import { Database } from '../../src/stores/postgres/database.ts';
import { applyMigrations } from '../../src/stores/postgres/migrations.ts';
import { installServers, MAJORS, type Major, makeServer, type Server } from './server.ts';

/** A database with all tables at each server; to copy it takes less time than to make one. */
export const TEMPLATE = 'nds_template';

export interface ServerAddress {
  readonly major: Major;
  readonly url: string;
}

declare module 'vitest' {
  interface ProvidedContext {
    servers: readonly ServerAddress[];
  }
}

export default function setup(project: TestProject): Promise<() => Promise<void>> {
  return startServers(project, MAJORS);
}

/** Resolves with a function that removes them. */
export async function startServers(
  project: TestProject,
  majors: readonly Major[],
): Promise<() => Promise<void>> {
  await installServers();
  const servers: Server[] = [];
  const start = async (major: Major) => {
    const server = await makeServer(major);
    servers.push(server);
    await makeTemplate(server.url);
  };
  const started = await Promise.allSettled(majors.map(start));
  const remove = async () => {
    await Promise.all(servers.map((server) => server.remove()));
  };
  const failed = started.find((one) => one.status === 'rejected');
  if (failed !== undefined) {
    await remove();
    throw failed.reason;
  }
  project.provide(
    'servers',
    servers.map(({ major, url }) => ({ major, url })),
  );
  return remove;
}

async function makeTemplate(url: string): Promise<void> {
  const client = new Client({ connectionString: url });
  await client.connect();
  await client.query(`CREATE DATABASE ${TEMPLATE}`);
  await client.end();
  const ofTemplate = Object.assign(new URL(url), { pathname: `/${TEMPLATE}` }).href;
  const database = new Database({ url: ofTemplate, clock: createSystemClock() });
  await applyMigrations(database, ofTemplate);
  await database.close();
}
