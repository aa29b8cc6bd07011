// The doors of callers that sign: which header and which secret count, what a replay is, and that a refused call leaves
// neither a row nor a push.

import { expect, test } from 'vitest';
import { fromZbase32 } from '../sources/calls.ts';
import { type Call, refusalOf } from '../support/callers.ts';
import { changeDevice, registerPhone, successOf } from '../support/device-calls.ts';
import { malleate } from '../support/lightning-wallet.ts';
import { pathOf } from '../support/registry.ts';
import {
  epayCall,
  lsps5Call,
  paymentflowCall,
  resmicCall,
  standardCall,
} from '../support/signed-calls.ts';
import {
  goodCalls,
  lsp,
  MINUTE,
  NOW_MS,
  otherLsp,
  post,
  rowsAndPushes,
  SECRET,
  SECRETS,
  start,
  WHSEC,
} from '../support/signed-doors.ts';

test('every signed call is accepted once, and its repeat is a duplicate with the first one’s id', async () => {
  const running = await start();
  const calls = await goodCalls(running);
  for (const call of calls) {
    const first = successOf(await post(running, call));
    expect(first.status, call.path).toBe('delivered');
    expect(successOf(await post(running, call))).toEqual({ id: first.id, status: 'duplicate' });
  }
  expect(await rowsAndPushes(running)).toEqual([calls.length, calls.length]);
});

test('a signature counts only in the header of its own source', async () => {
  const running = await start();
  const calls = await goodCalls(running);
  const headers = calls.flatMap((call) => Object.keys(call.headers).slice(1));
  for (const call of calls) {
    const own = Object.keys(call.headers).slice(1);
    const signature = call.headers[own.at(-1) ?? ''] ?? '';
    for (const name of [...headers, 'x-hub-signature-256', 'authorization']) {
      if (own.includes(name)) continue;
      const { [own.at(-1) ?? '']: _moved, ...others } = call.headers;
      const moved = { ...call, headers: { ...others, [name]: signature } };
      expect(refusalOf(await post(running, moved)), `${call.path} ${name}`).toBe(
        '401 bad_signature',
      );
    }
  }
  expect(await rowsAndPushes(running)).toEqual([0, 0]);
});

test('a body, a secret or a key that differs is refused at every door', async () => {
  const running = await start();
  const calls = await goodCalls(running);
  const other = await registerPhone(running, {
    user: 'another',
    secrets: {
      ...Object.fromEntries(Object.keys(SECRETS).map((name) => [name, ['other']])),
      standard: [],
    },
    lsp_node_ids: [otherLsp.publicKey],
  });
  const unregistered = await registerPhone(running, { user: 'without any secret' });
  for (const call of calls) {
    const door = /([a-z0-9_]+)\/[^/]+$/.exec(call.path)?.[1] ?? '';
    const tampered: readonly Call[] = [
      { ...call, body: `${call.body} ` },
      { ...call, body: call.body.replace('"', '" ') },
      { ...call, body: '' },
      { ...call, path: pathOf(other, door) },
      { ...call, path: pathOf(unregistered, door) },
    ];
    // Three guides sign the body after serialising it again, so white space does not matter to them.
    const rewrites = ['resmic', 'paymentflow', 'payment_api'].includes(door);
    for (const [index, changed] of tampered.entries()) {
      if (rewrites && index === 0) continue;
      expect(refusalOf(await post(running, changed)), `${door} ${index}`).toBe('401 bad_signature');
    }
  }
  expect(await rowsAndPushes(running)).toEqual([0, 0]);
});

test('secrets come from the device and from the configuration of its app, several at once', async () => {
  const running = await start({
    secrets: { default: { resmic: ['of the app, old', 'of the app, new'], standard: [WHSEC] } },
  });
  const device = await registerPhone(running, { secrets: { resmic: ['own, old', 'own, new'] } });
  const bare = await registerPhone(running, { user: 'without secrets' });
  const secrets = ['of the app, old', 'of the app, new', 'own, old', 'own, new'];
  for (const [index, secret] of secrets.entries()) {
    const call = { secret, id: `session-${index}` };
    const path = pathOf(device, 'resmic');
    expect((await post(running, resmicCall({ ...call, path }))).status, secret).toBe(200);
    const ofBare = resmicCall({ ...call, path: pathOf(bare, 'resmic') });
    expect((await post(running, ofBare)).status, secret).toBe(index < 2 ? 200 : 401);
  }
  const standard = { path: pathOf(bare, 'standard'), secret: WHSEC };
  expect((await post(running, standardCall(standard, { nowMs: NOW_MS }))).status).toBe(200);
  // A secret of one source is not valid at another.
  const other = paymentflowCall({ path: pathOf(bare, 'paymentflow'), secret: 'of the app, new' });
  expect(refusalOf(await post(running, other))).toBe('401 bad_signature');
});

test('a rotated secret is valid from the next call on, and the old one no longer', async () => {
  const running = await start();
  const device = await registerPhone(running, { secrets: { resmic: ['old'] } });
  const path = pathOf(device, 'resmic');
  const statusOf = async (secret: string, id: string) =>
    (await post(running, resmicCall({ path, secret, id }))).status;
  expect([await statusOf('old', '1'), await statusOf('new', '2')]).toEqual([200, 401]);
  await changeDevice(running, device.id, { secrets: { resmic: ['old', 'new'] } });
  expect([await statusOf('old', '3'), await statusOf('new', '4')]).toEqual([200, 200]);
  await changeDevice(running, device.id, { secrets: { resmic: ['new'] } });
  expect([await statusOf('old', '5'), await statusOf('new', '6')]).toEqual([401, 200]);
});

test('a call whose push failed may be repeated, word for word', async () => {
  const running = await start();
  for (const call of await goodCalls(running)) {
    running.sandbox.script({
      provider: 'fcm',
      fault: { kind: 'fcm_error', error: 'INVALID_ARGUMENT', field: 'message.data' },
    });
    expect((await post(running, call)).status, call.path).toBe(422);
    expect(successOf(await post(running, call)).status, call.path).toBe('delivered');
    expect(successOf(await post(running, call)).status, call.path).toBe('duplicate');
  }
});

test('a replay is recognised after a restart', async () => {
  const running = await start();
  const calls = await goodCalls(running);
  for (const call of calls) await post(running, call);
  await running.service.settled();
  await running.restart();
  for (const call of calls) {
    expect(successOf(await post(running, call)).status, call.path).toBe('duplicate');
  }
  expect(await rowsAndPushes(running)).toEqual([calls.length, calls.length]);
});

test('a malleated or rewritten signature of the same call is a duplicate', async () => {
  const running = await start();
  const device = await registerPhone(running, { secrets: SECRETS, lsp_node_ids: [lsp.publicKey] });
  const path = pathOf(device, 'lsps5');
  const call = lsps5Call({ path, secretKey: lsp.secretKey }, { atMs: NOW_MS });
  const signature = call.headers['x-lsps5-signature'] ?? '';
  const first = successOf(await post(running, call));
  for (const changed of [malleate(signature), signature.toUpperCase(), signature]) {
    const headers = { ...call.headers, 'x-lsps5-signature': changed };
    const answer = successOf(await post(running, { ...call, headers }));
    expect(answer).toEqual({ id: first.id, status: 'duplicate' });
  }
  // The recovery id of an uncompressed key is never a node's.
  const head = fromZbase32(signature)[0] ?? 0;
  expect(head).toBeGreaterThanOrEqual(31);
  const resmic = resmicCall({ path: pathOf(device, 'resmic'), secret: SECRET });
  await post(running, resmic);
  const upper = resmic.headers['x-signature']?.toUpperCase() ?? '';
  const again = { ...resmic, headers: { ...resmic.headers, 'x-signature': upper } };
  expect(successOf(await post(running, again)).status).toBe('duplicate');
});

test('bLIP-55’s tolerance can be set and switched off, and replays are recognised for as long', async () => {
  const cases: readonly (readonly [object, number, number])[] = [
    [{}, 10 * MINUTE, 401],
    [{ lsps5: { tolerance_seconds: 3_600 } }, 60 * MINUTE, 401],
    [{ lsps5: { tolerance_seconds: null } }, 3 * 24 * 60 * MINUTE, 200],
  ];
  for (const [sources, ageMs, beyond] of cases) {
    const running = await start(sources);
    const device = await registerPhone(running, { lsp_node_ids: [lsp.publicKey] });
    const address = { path: pathOf(device, 'lsps5'), secretKey: lsp.secretKey };
    const ahead = lsps5Call(address, { atMs: NOW_MS + ageMs });
    expect(successOf(await post(running, ahead)).status).toBe('delivered');
    const old = await post(running, lsps5Call(address, { atMs: NOW_MS - ageMs }));
    expect(successOf(old).status).toBe('delivered');
    const tooOld = await post(running, lsps5Call(address, { atMs: NOW_MS - ageMs - 1_000 }));
    expect(tooOld.status, JSON.stringify(sources)).toBe(beyond);
    if (beyond === 401) expect(refusalOf(tooOld)).toBe('401 stale_timestamp');
    // While the first call is fresh, a replay is not a new call.
    running.clock.advance(2 * ageMs - 1_000);
    expect(successOf(await post(running, ahead)).status).toBe('duplicate');
  }
});

test('bLIP-55’s methods are pushed as the vendor chose, others are answered 200 and not pushed', async () => {
  const running = await start({ lsps5: { methods: ['lsps5.payment_incoming'] } });
  const device = await registerPhone(running, { lsp_node_ids: [lsp.publicKey] });
  const address = { path: pathOf(device, 'lsps5'), secretKey: lsp.secretKey };
  const methods = [
    ['lsps5.payment_incoming', 'delivered'],
    ['lsps5.webhook_registered', 'ignored'],
    ['lsps5.onion_message_incoming', 'ignored'],
    ['lsps5.of_the_future', 'ignored'],
    ['toString', 'ignored'],
  ];
  for (const [method = '', status] of methods) {
    const call = lsps5Call(address, { atMs: NOW_MS, method });
    expect(successOf(await post(running, call)).status, method).toBe(status);
  }
  expect(await rowsAndPushes(running)).toEqual([1, 1]);
  // A call must be signed even if its type is ignored.
  const forged = lsps5Call(
    { ...address, secretKey: otherLsp.secretKey },
    { atMs: NOW_MS, method: 'x' },
  );
  expect(refusalOf(await post(running, forged))).toBe('401 bad_signature');
});

test('any of a device’s LSPs may wake it, and the push names the LSP', async () => {
  const running = await start();
  const nodes = [lsp.publicKey, otherLsp.publicKey];
  const device = await registerPhone(running, { lsp_node_ids: nodes });
  for (const { secretKey, publicKey } of [lsp, otherLsp]) {
    const call = lsps5Call({ path: pathOf(device, 'lsps5'), secretKey }, { atMs: NOW_MS });
    expect(successOf(await post(running, call)).status).toBe('delivered');
    const payload = running.sandbox.received().at(-1)?.data.notification_payload ?? '';
    expect(payload).toContain(publicKey);
  }
  await changeDevice(running, device.id, { lsp_node_ids: [otherLsp.publicKey] });
  const gone = lsps5Call(
    { path: pathOf(device, 'lsps5'), secretKey: lsp.secretKey },
    { atMs: NOW_MS + 1_000 },
  );
  expect(refusalOf(await post(running, gone))).toBe('401 bad_signature');
});

test('Standard Webhooks are never answered 410, others are', async () => {
  const running = await start();
  const device = await registerPhone(running, { secrets: SECRETS });
  running.sandbox.script({ provider: 'fcm', fault: { kind: 'fcm_error', error: 'UNREGISTERED' } });
  const standard = { path: pathOf(device, 'standard'), secret: WHSEC };
  for (const id of ['asked Google', 'in quarantine'].map((text) => text.replaceAll(' ', '_'))) {
    const answer = await post(running, standardCall({ ...standard, id }, { nowMs: NOW_MS }));
    expect(refusalOf(answer), id).toBe('422 token_unregistered');
  }
  const resmic = resmicCall({ path: pathOf(device, 'resmic'), secret: SECRET });
  expect(refusalOf(await post(running, resmic))).toBe('410 token_unregistered');
  // Epay expects 200 for everything that it sent.
  const epay = await post(running, epayCall({ path: pathOf(device, 'epay') }));
  expect(successOf(epay)).toMatchObject({ status: 'acknowledged', code: 'token_unregistered' });
});

test('a body of the Breez family with a Standard Webhooks signature is pushed as its own type', async () => {
  const running = await start();
  const device = await registerPhone(running, { secrets: SECRETS });
  const body = JSON.stringify({ template: 'payment_received', data: { payment_hash: 'aa' } });
  const call = standardCall(
    { path: pathOf(device, 'standard'), secret: WHSEC },
    { nowMs: NOW_MS, body },
  );
  expect(successOf(await post(running, call)).status).toBe('delivered');
  const [push] = running.sandbox.received();
  expect(push?.data.notification_type).toBe('payment_received');
});
