// What is in the database: encrypted while a delivery is open, erased when it ends, gone after the retention.

import Database from 'better-sqlite3';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { readDatabaseFiles } from '../support/database-files.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { ANDROID_TOKEN, IOS_TOKEN, notifyPath, type Setup, setup } from '../support/service.ts';

const DAY_MS = 24 * 3_600_000;
const PRUNE_EVERY_MS = 10 * 60_000;
const SECRETS = [ANDROID_TOKEN, 'hash-that-nobody-may-read', 'data-for-the-app', 'nds-test-secret'];

const sealedRows = z.array(z.object({ sealed: z.instanceof(Buffer) }));

/** Reads the file as an operator with a copy of it would. */
function sealedIn(running: Setup): readonly Buffer[] {
  const db = new Database(running.environment.NDS_DATABASE ?? '', { readonly: true });
  try {
    return sealedRows.parse(db.prepare('SELECT sealed FROM queue').all()).map((row) => row.sealed);
  } finally {
    db.close();
  }
}

/** Which of these are in which file of the database, on any page. */
function foundIn(running: Setup, needles: readonly (string | Buffer)[]): readonly string[] {
  return readDatabaseFiles(running.folder).flatMap(({ name, bytes }) =>
    needles
      .filter((needle) => bytes.includes(needle))
      .map((needle) => `${name}: ${typeof needle === 'string' ? needle : 'sealed bytes'}`),
  );
}

test('seals token and payload while a delivery is open and erases them when it ends', async () => {
  const clock = new ManualClock();
  const running = await setup({
    clock,
    environment: { NDS_SECRET: 'nds-test-secret-of-this-test' },
  });
  const { sandbox, service } = running;
  sandbox.script({ token: ANDROID_TOKEN, fault: { kind: 'hang' } });
  const answer = running.post(
    notifyPath(ANDROID_TOKEN, { app_data: 'data-for-the-app' }),
    '{"template":"payment_received","data":{"payment_hash":"hash-that-nobody-may-read"}}',
  );
  await sandbox.waitForRequests((request) => request.reason === 'hang', 1);
  await service.store.probe();
  const [open] = await service.store.findDeliveries({ limit: 10 });
  expect(open).toMatchObject({ status: 'queued', attempts: [] });
  const sealed = sealedIn(running);
  expect(sealed).toHaveLength(1);
  expect(foundIn(running, sealed)).not.toEqual([]);
  expect(foundIn(running, SECRETS)).toEqual([]);

  // The attempt ends at its deadline, and the second one succeeds.
  clock.advance(2_000);
  expect((await answer).status).toBe(200);
  await service.settled();
  expect(sealedIn(running)).toEqual([]);
  await running.restart();
  expect(foundIn(running, [...SECRETS, ...sealed])).toEqual([]);

  // With the token or the hash, the row can still be found.
  const { store, ids } = running.service;
  const byToken = { tokenHash: ids.fingerprint(`default\n${ANDROID_TOKEN}`), limit: 10 };
  const bySubject = { subjectHash: ids.fingerprint('hash-that-nobody-may-read'), limit: 10 };
  for (const query of [byToken, bySubject]) {
    expect(await store.findDeliveries(query)).toMatchObject([
      { id: open?.id, status: 'delivered' },
    ]);
  }
});

test('sends an open delivery after a restart from its encrypted content', async () => {
  const running = await setup();
  const { sandbox } = running;
  await sandbox.refuseConnections('apns', true, { reset: true });
  const answer = await running.notify(IOS_TOKEN, 'hash-that-nobody-may-read');
  expect(await answer.json()).toMatchObject({ status: 'queued' });
  expect(sealedIn(running)).toHaveLength(1);
  expect(foundIn(running, [...SECRETS, IOS_TOKEN])).toEqual([]);
  await sandbox.refuseConnections('apns', false);
  await running.restart();
  const [push] = await sandbox.waitFor(() => true, 1);
  expect(push?.data.notification_payload).toBe('{"payment_hash":"hash-that-nobody-may-read"}');
  await running.log.waitFor((event) => event.name === 'delivery_settled');
  await running.service.settled();
  expect(sealedIn(running)).toEqual([]);
});

for (const [name, retentionMs, environment] of [
  ['30 days', 30 * DAY_MS, {}],
  ['as long as the vendor says', 2 * 3_600_000, { NDS_RETENTION: '2h' }],
] as const) {
  test(`keeps settled deliveries ${name} and prunes them then`, async () => {
    const clock = new ManualClock();
    const apnsAlone = { GOOGLE_APPLICATION_CREDENTIALS_JSON: undefined, FCM_ENDPOINT: undefined };
    const running = await setup({ clock, environment: { ...apnsAlone, ...environment } });
    const rows = () => running.service.store.findDeliveries({ limit: 10 });
    await running.notify(IOS_TOKEN, 'old');
    await running.notify(IOS_TOKEN, 'old, too');
    await running.service.settled();
    await passTime(running, clock, retentionMs - PRUNE_EVERY_MS);
    await running.notify(IOS_TOKEN, 'young');
    await running.service.settled();
    // The retention has just passed, but is not exceeded yet.
    await passTime(running, clock, PRUNE_EVERY_MS);
    expect(await rows()).toHaveLength(3);
    await passTime(running, clock, PRUNE_EVERY_MS);
    expect(await rows()).toHaveLength(1);
    await passTime(running, clock, retentionMs);
    await passTime(running, clock, PRUNE_EVERY_MS);
    expect(await rows()).toEqual([]);
  });
}

/** Advances the clock. Timers on the way run once, and their results are in the database when this resolves. */
async function passTime(running: Setup, clock: ManualClock, ms: number): Promise<void> {
  clock.advance(ms);
  const BARRIERS = 3;
  for (let barrier = 0; barrier < BARRIERS; barrier += 1) await running.service.store.probe();
}
