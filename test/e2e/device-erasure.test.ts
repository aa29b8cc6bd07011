// How devices are removed: deleted by their vendor, including their token in all open deliveries, or pruned after they
// were dead or unseen for long.

import Database from 'better-sqlite3';
import { expect, test } from 'vitest';
import { refusalOf } from '../support/callers.ts';
import {
  callRegistry,
  deleteDevice,
  readDevice,
  registerPhone,
  successOf,
  wake,
} from '../support/device-calls.ts';
import { DAY, MINUTE, SECOND, setupDriven } from '../support/driven-service.ts';
import { REGISTRY_ENVIRONMENT } from '../support/registry.ts';
import { ANDROID_TOKEN, IOS_TOKEN, type Setup } from '../support/service.ts';

const HOUSEKEEPING = 10 * MINUTE;

async function start(environment: Record<string, string> = {}) {
  const driven = await setupDriven({ environment: { ...REGISTRY_ENVIRONMENT, ...environment } });
  return Object.assign(driven.running, { clock: driven.clock, elapse: driven.elapse });
}

type Running = Awaited<ReturnType<typeof start>>;

/** Rows with encrypted content, by table. */
function sealedRows({ environment }: Setup): { readonly open: number; readonly devices: number } {
  const db = new Database(environment.NDS_DATABASE ?? '', { readonly: true });
  try {
    const count = (table: string) =>
      Number(db.prepare(`SELECT count(*) FROM ${table}`).pluck().get());
    return { open: count('queue'), devices: count('devices') };
  } finally {
    db.close();
  }
}

async function logOf({ service }: Setup, id: string) {
  const [row] = await service.store.findDeliveries({ id, limit: 1 });
  return row;
}

/** A queued delivery, because its provider asked to retry later. */
async function queueDelivery(running: Running, work: () => ReturnType<typeof wake>) {
  running.sandbox.script({
    provider: 'fcm',
    times: 3,
    fault: { kind: 'fcm_error', error: 'UNAVAILABLE', retryAfterSeconds: 20 },
  });
  const answer = successOf(await work());
  expect(answer.status).toBe('queued');
  await running.service.settled();
  running.sandbox.clearFaults();
  return answer.id;
}

test('deleting a device ends its queued deliveries, and its log keeps only the hash', async () => {
  const running = await start();
  const device = await registerPhone(running, { user: 'user-a' });
  const id = await queueDelivery(running, () => wake(running, device, 'aa'));
  expect(sealedRows(running)).toEqual({ open: 1, devices: 1 });

  await deleteDevice(running, device.id);
  expect(sealedRows(running)).toEqual({ open: 0, devices: 0 });
  const row = await logOf(running, id);
  expect(row).toMatchObject({ status: 'rejected', reason: 'device_deleted' });
  expect(row?.tokenHash).toBe(running.service.ids.fingerprint(`default\n${ANDROID_TOKEN}`));
  await running.elapse(60 * SECOND);
  expect(running.sandbox.received()).toEqual([]);
});

test('a device that is deleted while its provider hangs leaves nothing in the database', async () => {
  const running = await start();
  const device = await registerPhone(running);
  running.sandbox.script({ provider: 'fcm', times: Infinity, fault: { kind: 'hang' } });
  const waiting = wake(running, device, 'aa');
  await running.sandbox.waitForRequests(({ provider }) => provider === 'fcm', 1);
  await running.service.store.probe();
  expect(sealedRows(running)).toEqual({ open: 1, devices: 1 });

  await deleteDevice(running, device.id);
  expect(sealedRows(running)).toEqual({ open: 0, devices: 0 });
  const [row] = await running.service.store.findDeliveries({ limit: 2 });
  expect(row).toMatchObject({ status: 'rejected', reason: 'device_deleted' });

  running.clock.advance(2 * SECOND);
  running.clock.advance(3 * SECOND);
  await waiting;
  running.clock.advance(60 * SECOND);
  await running.service.settled();
  running.sandbox.clearFaults();
  await running.restart();
  expect(await logOf(running, row?.id ?? '')).toMatchObject({ status: 'rejected' });
  expect(sealedRows(running)).toEqual({ open: 0, devices: 0 });
});

test('deliveries to the token itself end, too, unless another device has the token', async () => {
  const running = await start();
  const devices = [
    await registerPhone(running, { user: 'user-a' }),
    await registerPhone(running, { user: 'user-b' }),
  ];
  const byToken = () =>
    running.notify(ANDROID_TOKEN, 'aa').then(async (response) => {
      const headers = Object.fromEntries(response.headers);
      const bytes = Buffer.from(await response.arrayBuffer());
      return { status: response.status, headers, bytes, text: bytes.toString('utf8') };
    });
  const id = await queueDelivery(running, byToken);
  await deleteDevice(running, devices[0]?.id ?? '');
  expect(await logOf(running, id)).toMatchObject({ status: 'queued' });
  expect(sealedRows(running).open).toBe(1);
  await deleteDevice(running, devices[1]?.id ?? '');
  expect(await logOf(running, id)).toMatchObject({ status: 'rejected', reason: 'device_deleted' });
  expect(sealedRows(running).open).toBe(0);

  // The token in the URL still works, and the same event is as new as any other.
  const again = successOf(await byToken());
  expect(again.status).toBe('delivered');
  expect(again.id).not.toBe(id);
  expect(running.sandbox.received()).toHaveLength(1);
});

test('a caller is not told that a push waits which ended with its device', async () => {
  const running = await start();
  const device = await registerPhone(running);
  running.sandbox.script({ provider: 'fcm', times: 2, fault: { kind: 'hang' } });
  const waiting = wake(running, device, 'aa');
  await running.sandbox.waitForRequests(({ provider }) => provider === 'fcm', 1);
  await running.service.store.probe();
  await deleteDevice(running, device.id);
  running.clock.advance(2 * SECOND);
  await running.sandbox.waitForRequests(({ provider }) => provider === 'fcm', 2);
  running.clock.advance(2 * SECOND);
  const refused = await waiting;
  expect(refusalOf(refused)).toBe('422 token_rejected');
  expect(JSON.parse(refused.text)).toMatchObject({
    reason: 'device_deleted',
    detail: 'The device was deleted while its push waited.',
  });
});

test('another wallet on the same phone loses nothing', async () => {
  const running = await start();
  const gone = await registerPhone(running, { app_data: 'wallet-1' });
  const kept = await registerPhone(running, { app_data: 'wallet-2' });
  const id = await queueDelivery(running, () => wake(running, kept, 'aa'));
  await deleteDevice(running, gone.id);
  expect(await logOf(running, id)).toMatchObject({ status: 'queued' });
  await running.elapse(25 * SECOND);
  await running.sandbox.waitFor(({ data }) => data.app_data === 'wallet-2', 1);
});

/** Registers two phones, of which the first becomes dead at once; both were seen today. */
async function oneDeadOneAlive(running: Running) {
  const dead = await registerPhone(running, { token: 'dead:APA91bTokenOfARemovedApp' });
  const alive = await registerPhone(running, { platform: 'ios', token: IOS_TOKEN });
  running.sandbox.script({ provider: 'fcm', fault: { kind: 'fcm_error', error: 'UNREGISTERED' } });
  expect(refusalOf(await wake(running, dead, 'aa'))).toBe('410 token_unregistered');
  expect(successOf(await wake(running, alive, 'aa')).status).toBe('delivered');
  await running.service.settled();
  return { dead, alive };
}

async function prune(running: Running, days: number): Promise<void> {
  running.clock.jump(days * DAY);
  running.clock.advance(HOUSEKEEPING);
  await running.service.settled();
}

const pruned = ({ log }: Setup) => log.events.filter(({ name }) => name === 'devices_pruned');

test('devices that were dead for 60 days are pruned and counted', async () => {
  const running = await start();
  const { dead, alive } = await oneDeadOneAlive(running);
  expect(await readDevice(running, dead.id)).toHaveProperty('dead_since');
  await prune(running, 59);
  expect(pruned(running)).toEqual([]);
  await prune(running, 1);
  await running.log.waitFor(({ name }) => name === 'devices_pruned');
  expect(pruned(running)).toEqual([{ name: 'devices_pruned', dead: 1, unseen: 0 }]);
  expect((await callRegistry(running, { path: `/${dead.id}` })).status).toBe(404);
  expect((await readDevice(running, alive.id)).id).toBe(alive.id);
});

test('devices that were unseen for a year are pruned, those that took a push are not', async () => {
  const running = await start();
  const silent = await registerPhone(running, { token: 'silent:APA91bTokenOfASilentPhone' });
  const active = await registerPhone(running, { user: 'user-a' });
  await prune(running, 364);
  expect(pruned(running)).toEqual([]);
  // Registering again is a sign of life.
  await registerPhone(running, { user: 'user-a' });
  await prune(running, 2);
  await running.log.waitFor(({ name }) => name === 'devices_pruned');
  expect(pruned(running)).toEqual([{ name: 'devices_pruned', dead: 0, unseen: 1 }]);
  expect((await callRegistry(running, { path: `/${silent.id}` })).status).toBe(404);
  expect((await readDevice(running, active.id)).id).toBe(active.id);
});

test('the vendor decides how long devices are kept', async () => {
  const running = await start({ NDS_DEVICE_DEAD_AFTER: '1d', NDS_DEVICE_UNSEEN_AFTER: '3d' });
  await oneDeadOneAlive(running);
  await prune(running, 2);
  await running.log.waitFor(({ name }) => name === 'devices_pruned');
  await prune(running, 2);
  await running.log.waitFor(({ name }) => name === 'devices_pruned', 2);
  expect(pruned(running)).toEqual([
    { name: 'devices_pruned', dead: 1, unseen: 0 },
    { name: 'devices_pruned', dead: 0, unseen: 1 },
  ]);
});

test('a push that arrives brings a dead device back', async () => {
  const running = await start({ NDS_QUARANTINE: '1h' });
  const { dead } = await oneDeadOneAlive(running);
  running.clock.advance(3_700 * SECOND);
  expect(successOf(await wake(running, dead, 'bb')).status).toBe('delivered');
  await running.service.settled();
  expect(await readDevice(running, dead.id)).not.toHaveProperty('dead_since');
});
