// The database files, searched byte for byte after a run with devices, signed calls and deliveries of every outcome:
// nothing that a device or a caller sent can be found there, before and after the secret is replaced.

import { expect, test } from 'vitest';
import { startService } from '../../src/main.ts';
import { prepare } from '../../src/service/prepare.ts';
import { createSystemClock } from '../../src/service/system.ts';
import { refusalOf, send } from '../support/callers.ts';
import { readDatabaseFiles } from '../support/database-files.ts';
import {
  callRegistry,
  deleteDevice,
  listDevices,
  readDevice,
  registerPhone,
  renewHandle,
  successOf,
  wake,
} from '../support/device-calls.ts';
import { createWallet, selfRegistration } from '../support/lightning-wallet.ts';
import { KEYS, OPERATOR_ENVIRONMENT, operate, told } from '../support/operator-calls.ts';
import { APP_KEY, handleOf, pathOf, REGISTRY_ENVIRONMENT, register } from '../support/registry.ts';
import { createTestLog, EXTERNAL_URL, IOS_TOKEN, type Setup, setup } from '../support/service.ts';
import { resmicCall, sparkPaymentCall, standardCall } from '../support/signed-calls.ts';

const wallet = createWallet(1);
const ANDROID = 'at-rest:APA91bTokenOfTheAndroidPhone';
const DEAD = 'at-rest:APA91bTokenOfARemovedApp';
const GONE = 'at-rest:APA91bTokenOfADeletedDevice';
const OF_APP = 'at-rest:APA91bTokenRegisteredByAnApp';
const ROTATED = 'at-rest:APA91bTokenAfterItsRotation';
const USER = 'user-at-rest@wallet.example';
const APP_DATA = 'app-data-at-rest-of-wallet-1';
const NODE_ID = `02${'c4'.repeat(32)}`;
const RESMIC_SECRET = 'secret-at-rest-of-resmic';
const STANDARD_SECRET = `whsec_${Buffer.from('secret-at-rest-of-standard').toString('base64')}`;
const DOMAIN_SECRET = 'secret-at-rest-of-the-domain';
const SETTLED_HASH = 'payment-hash-at-rest-settled';
const OPEN_HASH = 'payment-hash-at-rest-still-open';
const NEXT_SECRET = 'another secret for tests only';

const ENVIRONMENT = {
  ...OPERATOR_ENVIRONMENT,
  NDS_SELF_REGISTRATION: 'on',
  NDS_SOURCES: JSON.stringify({ domains: { 'pay.example.com': { secrets: [DOMAIN_SECRET] } } }),
  // Deliveries that wait for Google stay open over the restarts.
  NDS_LIFETIMES: 'swap_updated=28d,payment_received=60s',
};

/** Everything that was sent in the run and must not be found afterwards. */
interface Said {
  readonly texts: readonly string[];
  readonly iosDevice: Awaited<ReturnType<typeof register>>;
  readonly openId: string;
  readonly resmic: ReturnType<typeof resmicCall>;
}

/**
 * Makes devices of all three registrars, and deliveries that were settled, refused or deleted, and one that stays open.
 */
async function live(running: Setup): Promise<Said> {
  const { url } = running.service;
  const iosDevice = await register(running, {
    platform: 'ios',
    token: IOS_TOKEN,
    user: USER,
    app_data: APP_DATA,
    lsp_node_ids: [NODE_ID],
    secrets: { resmic: [RESMIC_SECRET], standard: [STANDARD_SECRET] },
  });
  const android = await registerPhone(running, { token: ANDROID, user: USER });
  const dead = await registerPhone(running, { token: DEAD });
  const gone = await registerPhone(running, { token: GONE, user: USER });
  const ofApp = await registerPhone(running, { token: OF_APP }, APP_KEY);
  const renewed = await renewHandle(running, dead.id, 'notify');
  const unixSeconds = Math.floor(Date.now() / 1_000);
  const own = selfRegistration(wallet, {
    body: { platform: 'android', token: ANDROID },
    unixSeconds,
  });
  expect((await send(url, own)).status).toBe(200);

  expect(successOf(await wake(running, iosDevice, SETTLED_HASH)).status).toBe('delivered');
  const resmic = resmicCall({
    path: pathOf(iosDevice, 'resmic'),
    secret: RESMIC_SECRET,
    id: 'session-at-rest',
  });
  expect(successOf(await send(url, resmic)).status).toBe('delivered');
  const standard = standardCall(
    { path: pathOf(iosDevice, 'standard'), secret: STANDARD_SECRET },
    { nowMs: Date.now(), body: '{"type":"a.b","data":"content-at-rest"}' },
  );
  expect(successOf(await send(url, standard)).status).toBe('delivered');
  const payment = sparkPaymentCall({
    path: '/api/v1/webhooks/spark_payment_received/pay.example.com',
    secret: DOMAIN_SECRET,
    user: wallet.publicKey,
  });
  expect(successOf(await send(url, payment)).status).toBe('delivered');
  running.sandbox.script({ provider: 'fcm', fault: { kind: 'fcm_error', error: 'UNREGISTERED' } });
  const old = await wake(running, { ...dead, urls: renewed.urls }, SETTLED_HASH);
  expect(refusalOf(old)).toBe('410 token_unregistered');
  await deleteDevice(running, gone.id);
  const call = { method: 'PUT', path: `/${ofApp.id}/token`, body: { token: ROTATED } };
  expect((await callRegistry(running, call)).status).toBe(200);

  await running.sandbox.refuseConnections('fcm', true, { reset: true });
  const swap = JSON.stringify({
    event: 'swap.update',
    data: { id: OPEN_HASH, status: 'swap-status-at-rest' },
  });
  const open = await send(url, { path: pathOf(android, 'notify'), body: swap });
  expect(successOf(open).status).toBe('queued');
  await running.service.settled();

  const devices = [iosDevice, android, dead, gone, ofApp, { ...dead, urls: renewed.urls }];
  const handles = devices.flatMap((device) =>
    Object.keys(device.urls).map((door) => handleOf(device, door)),
  );
  const texts = [
    ...handles,
    ...[IOS_TOKEN, ANDROID, DEAD, GONE, OF_APP, ROTATED],
    ...[USER, APP_DATA, NODE_ID, wallet.publicKey],
    ...[RESMIC_SECRET, STANDARD_SECRET, STANDARD_SECRET.replace('whsec_', ''), DOMAIN_SECRET],
    ...[SETTLED_HASH, OPEN_HASH, 'swap-status-at-rest', 'content-at-rest', 'session-at-rest'],
    ...['aa'.repeat(32), '07'.repeat(32), 'lnbc500u1pexample', 'payment_hash', 'reply_url'],
    ...[own.headers['x-nds-signature'] ?? '', own.body, resmic.headers['x-signature'] ?? ''],
    ...[APP_KEY, KEYS.all, REGISTRY_ENVIRONMENT.NDS_BACKEND_KEYS],
    ...[running.environment.NDS_SECRET ?? '', NEXT_SECRET],
  ];
  return { texts, iosDevice, openId: successOf(open).id, resmic };
}

/** Which of the texts are in a file of the database, as text or as decoded bytes. */
function findTraces({ folder }: Setup, texts: readonly string[]): readonly string[] {
  const files = readDatabaseFiles(folder);
  expect(files.length).toBeGreaterThan(0);
  return files.flatMap(({ bytes }) => {
    return texts.filter((text) => spellings(text).some((spelling) => bytes.includes(spelling)));
  });
}

function spellings(text: string): readonly Buffer[] {
  const plain = Buffer.from(text);
  const isHex = /^(?:[0-9a-f]{2}){8,}$/.test(text);
  return [
    plain,
    Buffer.from(text.toUpperCase()),
    Buffer.from(text, 'utf16le'),
    Buffer.from(plain.toString('hex')),
    Buffer.from(plain.toString('base64').slice(0, -4)),
    Buffer.from(plain.toString('base64url').slice(0, -4)),
    ...(isHex ? [Buffer.from(text, 'hex')] : []),
    ...(/^[A-Za-z0-9_-]{22}$/.test(text) ? [Buffer.from(text, 'base64url')] : []),
  ];
}

test('nothing that a device or a caller sent is in the database, running, stopped or under a new secret', async () => {
  const running = await setup({ environment: ENVIRONMENT });
  const said = await live(running);
  expect(said.texts.every((text) => text.length >= 8)).toBe(true);
  expect(findTraces(running, said.texts)).toEqual([]);
  // The search finds texts that are there.
  expect(findTraces(running, ['swap_updated'])).not.toEqual([]);
  await running.service.stop();
  expect(findTraces(running, said.texts)).toEqual([]);

  const rotated = {
    NDS_SECRET: NEXT_SECRET,
    NDS_SECRET_PREVIOUS: running.environment.NDS_SECRET ?? '',
  };
  await running.restart(rotated);
  expect(running.log.lines.map(({ message }) => message)).toContain('key_rotated');
  expect(findTraces(running, said.texts)).toEqual([]);
  // From now on the old secret is no longer needed.
  await running.restart({ NDS_SECRET: NEXT_SECRET });
  await expectAllWorks(running, said);
  expect(findTraces(running, said.texts)).toEqual([]);
  await running.service.stop();
  expect(findTraces(running, said.texts)).toEqual([]);
});

/** Handles, secrets, lookups, duplicates and a waiting delivery, all from before the new secret, still work. */
async function expectAllWorks(running: Setup, said: Said): Promise<void> {
  const { iosDevice, openId, resmic } = said;
  const { store, ids } = running.service;
  expect((await listDevices(running, USER)).map(({ id }) => id)).toContain(iosDevice.id);
  expect((await readDevice(running, iosDevice.id)).urls).toEqual(iosDevice.urls);
  expect(successOf(await wake(running, iosDevice, 'a new payment')).status).toBe('delivered');
  expect(successOf(await send(running.service.url, resmic)).status).toBe('duplicate');
  const again = await register(running, {
    platform: 'ios',
    token: IOS_TOKEN,
    user: USER,
    app_data: APP_DATA,
  });
  expect(again.id).toBe(iosDevice.id);
  const subjectHash = ids.fingerprint(SETTLED_HASH);
  expect(await store.findDeliveries({ subjectHash, limit: 10 })).toHaveLength(2);
  const tokenHash = ids.fingerprint(`default\n${IOS_TOKEN}`);
  expect((await store.findDeliveries({ tokenHash, limit: 10 })).length).toBeGreaterThanOrEqual(4);

  await running.sandbox.refuseConnections('fcm', false);
  const settled = running.log.waitFor(
    (event) => event.name === 'delivery_settled' && event.deliveryId === openId,
  );
  // By itself it would be sent up to fifteen seconds later.
  const retry = await operate(running, { method: 'POST', path: `/deliveries/${openId}/retry` });
  expect(told(retry)).toMatchObject({ id: openId, attempt: 'starts' });
  const [push] = await running.sandbox.waitFor(
    ({ data }) => data.notification_type === 'swap_updated',
    1,
  );
  expect(push?.token).toBe(ANDROID);
  await settled;
  await running.service.settled();
  const [row] = await store.findDeliveries({ id: openId, limit: 1 });
  expect(row?.status).toBe('delivered');
}

test('another secret is refused with a message that says what to do, and leaves the database as it is', async () => {
  const running = await setup({ environment: ENVIRONMENT });
  const device = await registerPhone(running, { token: ANDROID });
  await running.service.stop();
  const environment = { ...running.environment, NDS_SECRET: NEXT_SECRET };
  const clock = createSystemClock();
  const start = async () =>
    startService(await prepare(environment, clock), createTestLog(), { clock });
  await expect(start()).rejects.toThrow(
    /was made with another secret\. Set NDS_SECRET to the one it was made with.*NDS_SECRET_PREVIOUS/,
  );
  await expect(start()).rejects.not.toThrow(new RegExp(NEXT_SECRET));
  await running.restart();
  expect(successOf(await wake(running, device, 'aa')).status).toBe('delivered');
  expect(device.urls.notify?.startsWith(EXTERNAL_URL)).toBe(true);
});
