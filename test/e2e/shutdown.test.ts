// SIGTERM and SIGINT: new calls are refused, calls in flight are answered, and the rest is left to the next process.

import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import Database from 'better-sqlite3';
import { expect, onTestFinished, test } from 'vitest';
import { startSandbox } from '../../sandbox/sandbox.ts';
import { startBinary } from '../support/binary.ts';
import { SECOND, setupDriven, type Told, told } from '../support/driven-service.ts';
import {
  ANDROID_TOKEN,
  IOS_TOKEN,
  notifyPath,
  sandboxEnvironment,
  temporaryFolder,
} from '../support/service.ts';

const HANG = { kind: 'hang' } as const;
const PAYMENT = JSON.stringify({ template: 'payment_received', data: { payment_hash: 'aa' } });
const QUESTION = JSON.stringify({
  event: 'invoice.request',
  data: { offer: 'lno1', invoiceRequest: '00' },
});

test('while it drains, calls in flight are answered and new ones are refused', async () => {
  const { running, pay, clock, untilAsked } = await setupDriven();
  running.sandbox.script({ provider: 'apns', fault: HANG });
  const inFlight = pay(IOS_TOKEN, 'aa');
  await untilAsked(1);
  const stopped = running.service.stop();
  const refused = await pay(ANDROID_TOKEN, 'aa');
  expect(refused).toMatchObject({ status: 503, body: { code: 'shutting_down' } });
  expect(Number(refused.retryAfter)).toBeGreaterThan(0);
  const readiness = await fetch(`${running.service.url}/readyz`);
  expect(readiness.status).toBe(503);
  expect(await readiness.json()).toMatchObject({ checks: { service: { ready: false } } });
  expect((await fetch(`${running.service.url}/healthz`)).status).toBe(200);
  clock.advance(2 * SECOND);
  expect(await inFlight).toMatchObject({ status: 200, body: { status: 'delivered' } });
  // The clock stands still, so the stop does not wait for any grace period.
  await stopped;
  await expect(pay(ANDROID_TOKEN, 'bb')).rejects.toThrow();
});

test('with nothing in flight it stops at once', async () => {
  const { running, pay } = await setupDriven();
  await pay(IOS_TOKEN, 'aa');
  await running.service.stop();
  expect(running.log.events.filter(({ name }) => name === 'lease_lost')).toEqual([]);
});

test('a push that outlasts the grace period is queued for the next process', async () => {
  const { running, pay, clock, untilAsked, store, drift } = await setupDriven({
    environment: { NDS_ATTEMPT_TIMEOUT: '10s' },
  });
  running.sandbox.script({ provider: 'apns', fault: HANG });
  clock.advance(SECOND);
  const inFlight = pay(IOS_TOKEN, 'aa');
  await untilAsked(1);
  const stopped = running.service.stop();
  clock.advance(4 * SECOND);
  await store.idle();
  clock.advance(SECOND);
  expect((await inFlight).body.status).toBe('queued');
  await drift(SECOND);
  await stopped;
  const db = new Database(join(running.folder, 'nds.sqlite'), { readonly: true });
  expect(db.prepare('SELECT lease_owner, lease_until_ms FROM queue').all()).toEqual([
    { lease_owner: null, lease_until_ms: null },
  ]);
  db.close();
  clock.advance(10 * SECOND);
  await running.restart();
  await store.idle();
  clock.advance(0);
  const [push] = await running.sandbox.waitFor(({ token }) => token === IOS_TOKEN, 1);
  expect(push?.apns?.id).toBe((await inFlight).body.id);
});

test('what the grace period did not see the end of was perhaps pushed, whatever the next process hears', async () => {
  const { running, pay, clock, untilAsked, store, drift } = await setupDriven({
    environment: { NDS_ATTEMPT_TIMEOUT: '10s' },
  });
  running.sandbox.script({ provider: 'apns', fault: HANG });
  const inFlight = pay(IOS_TOKEN, 'aa');
  await untilAsked(1);
  const stopped = running.service.stop();
  await drift(6 * SECOND);
  const { id } = (await inFlight).body;
  await stopped;
  running.sandbox.script({ provider: 'apns', fault: { kind: 'reason', reason: 'BadDeviceToken' } });
  await running.restart();
  await store.idle();
  clock.advance(0);
  await untilAsked(2);
  await running.service.settled();
  const [row] = await running.service.store.findDeliveries({ id, limit: 1 });
  expect(row).toMatchObject({ status: 'rejected', reason: 'interrupted' });
});

test('deliveries that wait in the queue go out with the next process', async () => {
  const { running, pay, elapse } = await setupDriven();
  running.sandbox.script({ provider: 'fcm', fault: { kind: 'fcm_error', error: 'UNAVAILABLE' } });
  const queued = await pay(ANDROID_TOKEN, 'aa');
  await running.restart();
  await elapse(2_000);
  await running.sandbox.waitFor(({ token }) => token === ANDROID_TOKEN, 1);
  expect(queued.body.status).toBe('queued');
});

test('callers that wait for a device are answered, too', async () => {
  const { running } = await setupDriven();
  const waiting = told(running.post(notifyPath(IOS_TOKEN), QUESTION));
  await running.sandbox.waitFor(() => true, 1);
  await running.service.stop();
  expect(await waiting).toMatchObject({ status: 503, body: { code: 'shutting_down' } });
});

async function setupBinary(settings: Readonly<Record<string, string>> = {}) {
  const folder = temporaryFolder();
  const sandbox = await startSandbox();
  onTestFinished(() => sandbox.close());
  const environment = { ...sandboxEnvironment(sandbox, folder), ...settings };
  const binary = await startBinary(environment);
  // Both proofs are over, so that no fault of a test affects them.
  await binary.said('can_reach_provider', 2);
  const pay = (token: string): Promise<Told> => {
    const headers = { accept: 'application/json' };
    const call = { method: 'POST', headers, body: PAYMENT };
    return told(fetch(`${binary.url}${notifyPath(token)}`, call));
  };
  return { binary, sandbox, folder, pay };
}

for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  test(`${signal} ends the program with code 0 when what is in flight was answered`, async () => {
    const { binary, sandbox, pay } = await setupBinary();
    sandbox.script({ provider: 'apns', fault: { kind: 'delay', delayMs: 500 } });
    const inFlight = pay(IOS_TOKEN);
    await sandbox.waitFor(() => true, 1);
    binary.kill(signal);
    expect(await inFlight).toMatchObject({ status: 200, body: { status: 'delivered' } });
    expect(await binary.ended).toBe(0);
  });
}

test('it is gone a second after its grace period, whatever hangs, and loses nothing', async () => {
  const { binary, sandbox, pay, folder } = await setupBinary({ NDS_GRACE: '1s' });
  sandbox.script({ provider: 'apns', times: Infinity, fault: HANG });
  const answer = pay(IOS_TOKEN);
  await sandbox.waitForRequests(({ token }) => token === IOS_TOKEN, 1);
  const db = new Database(join(folder, 'nds.sqlite'));
  const open = db.prepare('SELECT count(*) FROM queue').pluck();
  // The push does not wait for its row; if the database were locked earlier, the answer would be another.
  while (open.get() === 0) await setImmediate();
  db.exec('BEGIN IMMEDIATE');
  const startedMs = performance.now();
  binary.kill('SIGTERM');
  expect(await binary.ended).toBe(0);
  expect(performance.now() - startedMs).toBeLessThan(2.5 * SECOND);
  db.exec('ROLLBACK');
  expect(await answer).toMatchObject({ status: 200, body: { status: 'queued' } });
  expect(open.get()).toBe(1);
  db.close();
});

test('a second signal ends the program at once', async () => {
  const { binary, sandbox, pay } = await setupBinary();
  sandbox.script({ provider: 'apns', times: Infinity, fault: HANG });
  const cut = expect(pay(IOS_TOKEN)).rejects.toThrow();
  await sandbox.waitForRequests(({ token }) => token === IOS_TOKEN, 1);
  const startedMs = performance.now();
  binary.kill('SIGTERM');
  await binary.said('stopping');
  binary.kill('SIGTERM');
  expect(await binary.ended).toBe(1);
  expect(performance.now() - startedMs).toBeLessThan(SECOND);
  await cut;
});
