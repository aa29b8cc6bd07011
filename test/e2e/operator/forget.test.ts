// Forgetting a user or a token: devices, handles and quarantine are deleted, open deliveries end, and neither the log
// nor the refusals name them.

import Database from 'better-sqlite3';
import { expect, test } from 'vitest';
import { forgetAnswer } from '../../../src/http/operator/tokens.ts';
import { refusalOf } from '../../support/callers.ts';
import { listDevices, registerPhone, successOf, wake } from '../../support/device-calls.ts';
import { androidToken, SECOND, setupDriven } from '../../support/driven-service.ts';
import { OPERATOR_ENVIRONMENT, operate, told } from '../../support/operator-calls.ts';
import type { Setup } from '../../support/service.ts';

const USER = 'user a/ü';

async function start() {
  const driven = await setupDriven({ environment: OPERATOR_ENVIRONMENT });
  return Object.assign(driven.running, { elapse: driven.elapse, clock: driven.clock });
}

function forgetUser(running: Setup, user: string, query = '') {
  const path = `/users/${encodeURIComponent(user)}${query}`;
  return operate(running, { method: 'DELETE', path });
}

function forgetToken(running: Setup, token: string) {
  const fingerprint = running.service.ids.fingerprint(`default\n${token}`);
  return operate(running, { method: 'DELETE', path: `/tokens/${fingerprint}` });
}

/** Every value in the whole file, as text. */
function dump({ environment }: Setup): string {
  const db = new Database(environment.NDS_DATABASE ?? '', { readonly: true });
  try {
    const tables = db
      .prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
      .pluck()
      .all();
    return tables
      .map((table) => JSON.stringify(db.prepare(`SELECT * FROM ${String(table)}`).all()))
      .join('\n');
  } finally {
    db.close();
  }
}

async function expectForgotten(running: Setup, token: string, deviceId: string): Promise<void> {
  await running.service.settled();
  const text = dump(running);
  expect(text).not.toContain(running.service.ids.fingerprint(`default\n${token}`));
  expect(text).not.toContain(deviceId);
}

test('a user’s devices and handles, and every trace of them, are gone', async () => {
  const running = await start();
  const device = await registerPhone(running, { user: USER, token: androidToken(1) });
  const other = await registerPhone(running, { user: 'user-b', token: androidToken(2) });
  const { id } = successOf(await wake(running, device, 'aa'));
  await running.notify(androidToken(1), 'bb');
  const kept = successOf(await wake(running, other, 'aa')).id;
  await running.service.settled();

  const answer = forgetAnswer.parse(told(await forgetUser(running, USER)));
  expect(answer).toEqual({ status: 'forgotten', devices: 1, deliveries: 2 });
  await expectForgotten(running, androidToken(1), device.id);
  expect(refusalOf(await wake(running, device, 'cc'))).toBe('404 unknown_handle');
  expect(await listDevices(running, USER)).toEqual([]);
  expect(refusalOf(await forgetUser(running, USER))).toBe('404 unknown_user');
  const [row] = await running.service.store.findDeliveries({ id, limit: 1 });
  expect(row).toMatchObject({ status: 'delivered', tokenHash: '0'.repeat(32) });
  expect(row).not.toHaveProperty('subjectHash');
  const [others] = await running.service.store.findDeliveries({ id: kept, limit: 1 });
  expect(others).toMatchObject({ deviceId: other.id });
  expect(successOf(await wake(running, other, 'dd')).status).toBe('delivered');
});

test('after its user was forgotten, a token is tried at the provider again', async () => {
  const running = await start();
  const device = await registerPhone(running, { user: USER, token: androidToken(1) });
  running.sandbox.script({ provider: 'fcm', fault: { kind: 'fcm_error', error: 'UNREGISTERED' } });
  for (const hash of ['aa', 'bb']) {
    expect(refusalOf(await wake(running, device, hash))).toBe('410 token_unregistered');
  }
  expect(running.sandbox.received()).toEqual([]);
  await running.service.settled();
  told(await forgetUser(running, USER));
  expect((await running.notify(androidToken(1), 'cc')).status).toBe(200);
  expect(running.sandbox.received()).toHaveLength(1);
});

test('open deliveries end, and nothing is pushed for them', async () => {
  const running = await start();
  const device = await registerPhone(running, { user: USER, token: androidToken(1) });
  const fault = { kind: 'fcm_error', error: 'UNAVAILABLE', retryAfterSeconds: 20 } as const;
  running.sandbox.script({ provider: 'fcm', times: 3, fault });
  expect(successOf(await wake(running, device, 'aa')).status).toBe('queued');
  await running.service.settled();
  running.sandbox.clearFaults();
  await forgetUser(running, USER);
  await expectForgotten(running, androidToken(1), device.id);
  await running.elapse(60 * SECOND);
  expect(running.sandbox.received()).toEqual([]);
  const [row] = await running.service.store.findDeliveries({ limit: 1 });
  expect(row).toMatchObject({ status: 'rejected', reason: 'device_deleted' });
});

test('a push in flight ends without restoring anything', async () => {
  const running = await start();
  const device = await registerPhone(running, { user: USER, token: androidToken(1) });
  running.sandbox.script({ provider: 'fcm', times: Infinity, fault: { kind: 'hang' } });
  const waiting = wake(running, device, 'aa');
  await running.sandbox.waitForRequests(({ provider }) => provider === 'fcm', 1);
  await running.service.store.probe();
  told(await forgetUser(running, USER));
  running.clock.advance(2 * SECOND);
  running.clock.advance(4 * SECOND);
  await waiting;
  running.clock.advance(60 * SECOND);
  await expectForgotten(running, androidToken(1), device.id);
});

test('calls that come at the same moment leave nothing stored', async () => {
  const running = await start();
  const device = await registerPhone(running, { user: USER, token: androidToken(1) });
  const calls = Array.from({ length: 30 }, (_, number) => wake(running, device, `${number}`));
  const forgotten = forgetUser(running, USER);
  const later = Array.from({ length: 30 }, (_, number) => wake(running, device, `l${number}`));
  expect((await forgotten).status).toBe(200);
  for (const { status } of await Promise.all([...calls, ...later])) {
    expect([200, 404, 422]).toContain(status);
  }
  await expectForgotten(running, androidToken(1), device.id);
  expect(refusalOf(await wake(running, device, 'last'))).toBe('404 unknown_handle');
});

test('forgetting a token includes all devices that have it, and ends its quarantine', async () => {
  const running = await start();
  const token = androidToken(1);
  const one = await registerPhone(running, { user: 'user-a', token });
  await registerPhone(running, { user: 'user-b', token });
  running.sandbox.script({ provider: 'fcm', fault: { kind: 'fcm_error', error: 'UNREGISTERED' } });
  expect(refusalOf(await wake(running, one, 'aa'))).toBe('410 token_unregistered');
  // This refusal is still being written into the log when its token is forgotten.
  expect(refusalOf(await wake(running, one, 'bb'))).toBe('410 token_unregistered');
  expect(told(await forgetToken(running, token))).toMatchObject({ devices: 2 });
  await expectForgotten(running, token, one.id);
  expect((await running.notify(token, 'cc')).status).toBe(200);
  expect(refusalOf(await forgetToken(running, androidToken(2)))).toBe('404 unknown_token');
});

test('keeps what another user’s device with the same token needs', async () => {
  const running = await start();
  const token = androidToken(1);
  const gone = await registerPhone(running, { user: 'user-a', token });
  const kept = await registerPhone(running, { user: 'user-b', token });
  successOf(await wake(running, gone, 'aa'));
  const { id } = successOf(await wake(running, kept, 'aa'));
  await running.service.settled();
  expect(told(await forgetUser(running, 'user-a'))).toMatchObject({ devices: 1, deliveries: 1 });
  expect(dump(running)).not.toContain(gone.id);
  const [row] = await running.service.store.findDeliveries({ id, limit: 1 });
  expect(row?.tokenHash).toBe(running.service.ids.fingerprint(`default\n${token}`));
  expect(successOf(await wake(running, kept, 'bb')).status).toBe('delivered');
});

test('users of two apps are separate', async () => {
  const running = await start();
  await registerPhone(running, { user: USER });
  expect(refusalOf(await forgetUser(running, USER, '?app=another'))).toBe('404 unknown_user');
  expect(refusalOf(await forgetUser(running, USER, '?apps=default'))).toBe('400 bad_query');
  expect(told(await forgetUser(running, USER, '?app=default'))).toMatchObject({ devices: 1 });
});

test('an unknown user or an invalid fingerprint is 404', async () => {
  const running = await start();
  expect(refusalOf(await forgetUser(running, 'x'.repeat(300)))).toBe('404 unknown_user');
  for (const path of [
    '/tokens/nonsense',
    `/tokens/${'g'.repeat(32)}`,
    `/tokens/${'0'.repeat(33)}`,
  ]) {
    const answer = await operate(running, { method: 'DELETE', path });
    expect(refusalOf(answer), path).toBe('404 unknown_token');
  }
});
