// A limit of open files below NDS_MAX_CONNECTIONS: said at the start and by `nds doctor`.

import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { expect, onTestFinished, test } from 'vitest';
import { startSandbox } from '../../sandbox/sandbox.ts';
import { openFilesFault, parseLimits } from '../../src/service/open-files.ts';
import { NDS } from '../support/program.ts';
import { sandboxEnvironment, temporaryFolder } from '../support/service.ts';

test('reads the soft limit of Linux', () => {
  const line = 'Max open files            1024                 524288               files     \n';
  expect(parseLimits(`Max processes  7 7 processes\n${line}`)).toBe(1_024);
  expect(
    parseLimits('Max open files            unlimited            unlimited            files'),
  ).toBe(undefined);
});

test('connections need a file each, and the rest of the service some more', () => {
  expect(openFilesFault(1_024, 5_000)).toMatch(/1024 files .*NDS_MAX_CONNECTIONS=5000 needs 5200/);
  expect(openFilesFault(5_199, 5_000)).toBeDefined();
  expect(openFilesFault(5_200, 5_000)).toBeUndefined();
  expect(openFilesFault(undefined, 5_000)).toBeUndefined();
});

/** Runs nds under `ulimit -n 500`; its first line of output with this text. */
async function lineOf(args: readonly string[], text: string): Promise<string> {
  const sandbox = await startSandbox();
  onTestFinished(() => sandbox.close());
  const folder = temporaryFolder();
  const child = spawn(
    'sh',
    ['-c', 'ulimit -n 500 && exec "$0" "$@"', process.execPath, NDS, ...args],
    { cwd: folder, env: { PATH: process.env.PATH, ...sandboxEnvironment(sandbox, folder) } },
  );
  onTestFinished(() => void child.kill('SIGKILL'));
  for await (const line of createInterface({ input: child.stdout })) {
    if (line.includes(text)) return line;
  }
  throw new Error(`no line with ${text}`);
}

// Only Linux has /proc.
test.runIf(process.platform === 'linux')('the service and doctor warn of a low limit', async () => {
  const said: unknown = JSON.parse(await lineOf(['serve'], 'open_files_few'));
  expect(said).toMatchObject({
    level: 'warn',
    detail: expect.stringMatching(/may open 500 files .*NDS_MAX_CONNECTIONS/),
  });
  expect(await lineOf(['doctor', '--json'], '500 files')).toContain('NDS_MAX_CONNECTIONS');
});
