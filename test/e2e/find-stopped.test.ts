// `nds find` while nds does not run or hangs: it must say that the waiting push is not being sent.

import { execFile } from 'node:child_process';
import { utimesSync } from 'node:fs';
import { promisify } from 'node:util';
import { expect, onTestFinished, test } from 'vitest';
import { z } from 'zod';
import { startSandbox } from '../../sandbox/sandbox.ts';
import { freePort, NDS, startProgram } from '../support/program.ts';
import {
  ANDROID_TOKEN,
  notifyPath,
  sandboxEnvironment,
  temporaryFolder,
} from '../support/service.ts';

const run = promisify(execFile);
const HASH = '4bb06f8e4e3a7715d201d573d0aa423762e55dabd61a2c02278fa56cc6d294e0';
const BODY = JSON.stringify({ template: 'payment_received', data: { payment_hash: HASH } });

/** A payment that waits for FCM, in a service of its own. */
async function leaveOneWaiting() {
  const sandbox = await startSandbox();
  onTestFinished(() => sandbox.close());
  const folder = temporaryFolder();
  const address = `127.0.0.1:${await freePort()}`;
  const environment: Record<string, string> = {
    ...sandboxEnvironment(sandbox, folder),
    NOTIFY_HTTP_ADDRESS: address,
  };
  await sandbox.startOutage('fcm', { kind: 'refused' });
  const service = startProgram({ args: ['serve'], environment, folder });
  await service.line('"listening"');
  const url = `http://${address}${notifyPath(ANDROID_TOKEN)}`;
  const response = await fetch(url, { method: 'POST', body: BODY });
  expect(response.headers.get('delivery-status')).toBe('queued');
  const find = async () => {
    const { stdout } = await run(process.execPath, [NDS, 'find', '--json', HASH], {
      env: environment,
    });
    return z
      .looseObject({ verdict: z.looseObject({ code: z.string(), sentence: z.string() }) })
      .parse(JSON.parse(stdout)).verdict;
  };
  return { service, environment, find };
}

/** As if the last sign of life were that old. */
function ageSignOfLife({ NDS_DATABASE }: Readonly<Record<string, string>>): void {
  const earlier = Date.now() / 1_000 - 6;
  utimesSync(`${NDS_DATABASE}.owner.json`, earlier, earlier);
}

test('says that a service was killed, as soon as its sign of life is overdue', async () => {
  const { service, environment, find } = await leaveOneWaiting();
  service.signal('SIGKILL');
  await service.ended;
  ageSignOfLife(environment);
  const { code, sentence } = await find();
  expect(code).toBe('queued_stopped');
  expect(sentence).toMatch(
    /^Waiting: nds has not been running since [\d :-]+; start it, and it tries this push until [\d:]+\.$/,
  );
});

test('says that a service was stopped, at once', async () => {
  const { service, find } = await leaveOneWaiting();
  expect((await find()).code).not.toBe('queued_stopped');
  service.signal('SIGTERM');
  expect(await service.ended).toMatchObject({ code: 0 });
  expect((await find()).code).toBe('queued_stopped');
});

test('does not say of a service that hangs that it was stopped, nor to start it', async () => {
  const { service, environment, find } = await leaveOneWaiting();
  service.signal('SIGSTOP');
  ageSignOfLife(environment);
  const { code, sentence } = await find();
  expect(code).toBe('queued');
  expect(sentence).toMatch(
    /^nds runs and does not answer \(`nds doctor` says what to do\), [a-z ]+\. Waiting for its next try/,
  );
  const { stdout } = await run(process.execPath, [NDS, 'stats'], { env: environment });
  expect(stdout).toContain('\nnds runs and does not answer');
  service.signal('SIGKILL');
  await service.ended;
});
