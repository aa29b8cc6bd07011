// The real program, killed with -9 in the middle of forgetting a user with a long log: the device remains as long as
// rows name it, so the same call can finish the work.

import { join } from 'node:path';
import Database from 'better-sqlite3';
import { expect, onTestFinished, test } from 'vitest';
import { z } from 'zod';
import { startSandbox } from '../../sandbox/sandbox.ts';
import { startBinary } from '../support/binary.ts';
import { send } from '../support/callers.ts';
import { KEYS, OPERATOR_ENVIRONMENT } from '../support/operator-calls.ts';
import { ANDROID_TOKEN, sandboxEnvironment, temporaryFolder } from '../support/service.ts';

const ROWS = 20_000;
const FORGOTTEN = '0'.repeat(32);
const registered = z.object({ id: z.string(), urls: z.object({ notify: z.string() }) });
const headers = { authorization: `Bearer ${KEYS.all}` };

/** Copies the only row, as if the phone had got pushes for weeks. */
function fillLog(file: string): void {
  const db = new Database(file);
  db.prepare(
    `WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${ROWS})
     INSERT INTO deliveries (id, received_at_ms, status, app, platform, provider, type, device_id, token_hash,
       subject_hash, lifetime_ms, attempts, settled_at_ms, repeats)
     SELECT printf('01986476-4c00-7000-8000-%012x', i), received_at_ms, status, app, platform, provider, type, device_id,
       token_hash, subject_hash, lifetime_ms, attempts, settled_at_ms, repeats FROM deliveries, n`,
  ).run();
  db.close();
}

function counts(file: string) {
  const db = new Database(file, { readonly: true });
  try {
    const count = (sql: string) => Number(db.prepare(`SELECT count(*) FROM ${sql}`).pluck().get());
    return {
      forgotten: count(`deliveries WHERE token_hash = '${FORGOTTEN}'`),
      named: count(`deliveries WHERE token_hash <> '${FORGOTTEN}' OR device_id IS NOT NULL`),
      devices: count('devices'),
      handles: count('handles'),
    };
  } finally {
    db.close();
  }
}

test('forgetting that was killed is finished by the same call', async () => {
  const sandbox = await startSandbox();
  onTestFinished(() => sandbox.close());
  const folder = temporaryFolder();
  const environment = { ...sandboxEnvironment(sandbox, folder), ...OPERATOR_ENVIRONMENT };
  const file = join(folder, 'nds.sqlite');
  const body = JSON.stringify({ platform: 'android', token: ANDROID_TOKEN, user: 'alice' });

  const first = await startBinary(environment);
  const { text } = await send(first.url, { path: '/api/v1/devices', headers, body });
  const { urls } = registered.parse(JSON.parse(text));
  const call = JSON.stringify({ template: 'payment_received', data: { payment_hash: 'aa' } });
  await send(first.url, { path: new URL(urls.notify).pathname, body: call });
  await first.said('delivery_settled');
  first.kill('SIGTERM');
  expect(await first.ended).toBe(0);
  fillLog(file);

  const forget = (url: string) =>
    send(url, { method: 'DELETE', path: '/api/v1/users/alice', headers });
  const second = await startBinary(environment);
  const interrupted = forget(second.url).catch(() => undefined);
  while (counts(file).forgotten === 0) await new Promise((resolve) => setImmediate(resolve));
  second.kill('SIGKILL');
  expect(await second.ended).toBe('SIGKILL');
  expect(await interrupted).toBeUndefined();
  const left = counts(file);
  expect(left.forgotten).toBeGreaterThan(0);
  expect(left.named).toBeGreaterThan(0);
  expect(left).toMatchObject({ devices: 1 });

  const third = await startBinary(environment);
  const answer = await forget(third.url);
  expect(JSON.parse(answer.text)).toMatchObject({ devices: 1, deliveries: left.named });
  expect(counts(file)).toEqual({ forgotten: ROWS + 1, named: 0, devices: 0, handles: 0 });
});
