import { readdirSync } from 'node:fs';
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
export const SHARING_FOLDERS = [
  'bench',
  'config',
  'core',
  'e2e',
  'endpoints',
  'http',
  'providers',
  'sandbox',
  'service',
  'sources',
  'stores',
];
/** Their files that do change something, or that count what the process has: threads, sockets, memory. */
export const OWN_PROCESS_FILES = [
  'bench/run',
  'e2e/reply-load',
  'endpoints/egress-proxy',
  'http/domain-lookup',
  'providers/application-default-credentials',
  'providers/fcm-access-token',
  'providers/http2/client',
  'providers/http2/connections',
  'sandbox/connections',
  'service/system',
  'stores/sqlite/durability',
].map((file) => `${file}.test.ts`);
/** They need what npm does not bring with the rest: `npm run test:browser`, `test:foreign`, `test:postgres`. */
const OTHER_SUITES = ['browser', 'foreign', 'postgres'];
const OWN_PROCESS_FOLDERS = readdirSync(resolve(import.meta.dirname, 'test')).filter(
  (folder) => ![...SHARING_FOLDERS, ...OTHER_SUITES].includes(folder),
);
const allOf = (folder: string) => `test/${folder}/**/*.test.ts`;
const OWN_PROCESS = OWN_PROCESS_FILES.map((file) => `test/${file}`);

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
      {
        extends: true,
        test: {
          name: 'shared process',
          include: SHARING_FOLDERS.map(allOf),
          exclude: OWN_PROCESS,
          isolate: false,
        },
      },
      {
        extends: true,
        test: {
          name: 'own process',
          include: [...OWN_PROCESS_FOLDERS.map(allOf), ...OWN_PROCESS],
        },
      },
    ],
    pool: 'forks',
    // One more than there are cores: a sixth of the time a test waits for a process, a disk or a peer.
    maxWorkers: availableParallelism() + 1,
    sequence: { sequencer: LongestFirst },
    // No retries, and a test that was left out on purpose fails the run.
    retry: 0,
    allowOnly: false,
    // They end a test that hangs. On a busy machine a test that takes 8 s may need a minute.
    testTimeout: 120_000,
    hookTimeout: 60_000,
  },
});
