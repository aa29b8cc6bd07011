// Starts a server of each version before the tests and removes them afterwards. If one cannot start, the run fails with
// what it says.

import type { TestProject } from 'vitest/node';
import { installServers, MAJORS, type Major, makeServer, type Server } from './server.ts';

export interface ServerAddress {
  readonly major: Major;
  readonly url: string;
}

declare module 'vitest' {
  interface ProvidedContext {
    servers: readonly ServerAddress[];
  }
}

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  await installServers();
  const started = await Promise.allSettled(MAJORS.map((major) => makeServer(major)));
  const servers: Server[] = [];
  for (const one of started) if (one.status === 'fulfilled') servers.push(one.value);
  const remove = async () => {
    await Promise.all(servers.map((server) => server.remove()));
  };
  for (const one of started) {
    if (one.status === 'fulfilled') continue;
    await remove();
    throw one.reason;
  }
  project.provide(
    'servers',
    servers.map(({ major, url }) => ({ major, url })),
  );
  return remove;
}
