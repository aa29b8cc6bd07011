// `npm run test:pooler`: a PgBouncer in front of the newest server only, since it speaks to the others in the same way.
// If it cannot start, the run fails with its output.

import type { TestProject } from 'vitest/node';
import { makePooler, type Pooler } from './pooler.ts';
import { MAJORS } from './server.ts';
import { type ServerAddress, startServers } from './servers.ts';

declare module 'vitest' {
  interface ProvidedContext {
    poolers?: readonly ServerAddress[];
  }
}

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const removeServers = await startServers(project, MAJORS.slice(-1));
  const { servers } = project.getProvidedContext();
  const made: Pooler[] = [];
  const poolers: ServerAddress[] = [];
  const remove = async () => {
    for (const pooler of made) await pooler.remove();
    await removeServers();
  };
  try {
    for (const { major, url } of servers) {
      const pooler = await makePooler(url);
      made.push(pooler);
      poolers.push({ major, url: pooler.url });
    }
  } catch (error) {
    await remove();
    throw error;
  }
  project.provide('poolers', poolers);
  return remove;
}
