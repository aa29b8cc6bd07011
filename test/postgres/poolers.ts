// `npm run test:pooler`: a PgBouncer before each server. If one cannot start, the run fails with what it says.

import type { TestProject } from 'vitest/node';
import { makePooler, type Pooler } from './pooler.ts';
import type { ServerAddress } from './servers.ts';

declare module 'vitest' {
  interface ProvidedContext {
    poolers?: readonly ServerAddress[];
  }
}

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const { servers } = project.getProvidedContext();
  const made: Pooler[] = [];
  const poolers: ServerAddress[] = [];
  const remove = async () => {
    for (const pooler of made) await pooler.remove();
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
