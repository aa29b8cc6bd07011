// What the benchmark starts: the service by the command of `npm start`, and the floor in its place.

import { existsSync } from 'node:fs';
import { expect, onTestFinished, test } from 'vitest';
import { processListeningOn } from '../../bench/process-usage.ts';
import { type Subject, startCommand, startService } from '../../bench/service.ts';
import { startSandbox } from '../../sandbox/sandbox.ts';
import { ANDROID_TOKEN, notifyPath } from '../support/service.ts';

test('starts what npm start does', () => {
  const { options, entry, args } = startCommand();
  expect(options).toContain('--max-semi-space-size=16');
  expect(existsSync(entry)).toBe(true);
  expect(args).toEqual(['serve']);
});

test.each<Subject>(['nds', 'floor'])(
  'starts %s, which pushes to the stand-ins',
  async (subject) => {
    const sandbox = await startSandbox();
    onTestFinished(() => sandbox.close());
    const { ca, apns, fcm } = sandbox;
    const standIns = { ca, apns, fcm: { ...fcm, serviceAccount: { ...fcm.serviceAccount } } };
    await using service = await startService({ standIns, subject });
    expect(processListeningOn(service.port)).toBe(service.pid);
    const answer = await fetch(`http://127.0.0.1:${service.port}${notifyPath(ANDROID_TOKEN)}`, {
      method: 'POST',
      body: '{"template":"payment_received","data":{"payment_hash":"01"}}',
    });
    expect(answer.status).toBe(200);
    expect(sandbox.received(ANDROID_TOKEN)).toMatchObject([
      {
        data: {
          notification_type: 'payment_received',
          notification_payload: '{"payment_hash":"01"}',
        },
      },
    ]);
  },
);
