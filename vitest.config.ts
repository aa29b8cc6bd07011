import { availableParallelism } from 'node:os';
import { resolve } from 'node:path';
import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** What takes longest begins first, so that no core waits for it at the end. */
const LONGEST = [
  'chaos/kill.test.ts',
  'stores/sqlite/contract.test.ts',
  'fuzz/service.test.ts',
  'chaos/callers.test.ts',
  'e2e/devices-at-rest.test.ts',
  'doctor/doctor.test.ts',
  'simulation/simulation.test.ts',
];

/**
 * Folders whose tests change nothing outside themselves (`test/house/shared-process.test.ts`): their files share a process
 * and its modules, which takes a third less CPU time.
 */
export const SHARING_FOLDERS = ['config', 'core', 'e2e', 'http', 'sources', 'stores'];
/** But for those that count what the process has: threads, sockets, memory. */
export const COUNTING_FILES = ['durability', 'reply-load'];
const OTHERS = `!(${COUNTING_FILES.join('|')}).test.ts`;
const SHARING = SHARING_FOLDERS.map((folder) => `test/${folder}/**/${OTHERS}`);

class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const isLong = ({ moduleId }: TestSpecification) =>
      LONGEST.some((name) => moduleId.endsWith(name));
    const sorted = await super.sort(files);
    return [...sorted.filter(isLong), ...sorted.filter((file) => !isLong(file))];
  }
}

// Otherwise the threads of every service that a test starts strip the types of their files again: half of such a start.
process.env.NODE_COMPILE_CACHE ??= resolve(import.meta.dirname, 'node_modules/.cache/nds');

export default defineConfig({
  test: {
    projects: [
      { extends: true, test: { name: 'shared process', include: SHARING, isolate: false } },
      {
        extends: true,
        test: {
          name: 'own process',
          include: ['test/**/*.test.ts'],
          // The last need what npm does not bring with the rest: `npm run test:browser`, `test:foreign`, `test:postgres`.
          exclude: [...SHARING, 'test/browser/**', 'test/foreign/**', 'test/postgres/**'],
        },
      },
    ],
    pool: 'forks',
    // Of two cores, vitest would use one: it keeps one for itself, which it does not need.
    maxWorkers: Math.max(2, availableParallelism() - 1),
    sequence: { sequencer: LongestFirst },
    // No retries, and a test that was left out on purpose fails the run.
    retry: 0,
    allowOnly: false,
    testTimeout: 30_000,
    hookTimeout: 30_000,
  },
});
