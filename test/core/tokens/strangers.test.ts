// Strangers can invent tokens and wallets. Whatever a provider says about those, readiness does not change; what it
// says about several devices that worked counts, and only for a while.

import { expect, test } from 'vitest';
import type { Outcome } from '../../../src/core/outcome.ts';
import { readReadiness } from '../../../src/service/readiness.ts';
import { CALM, call, createVirtualCore, type VirtualCore } from '../../support/virtual-core.ts';

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const DEAD: Outcome = { kind: 'unregistered', reason: 'UNREGISTERED' };
const NOT_FOR_TOPIC: Outcome = {
  kind: 'rejected',
  reason: 'DeviceTokenNotForTopic',
  blame: 'sender',
};
const THIRD_PARTY: Outcome = { ...NOT_FOR_TOPIC, reason: 'THIRD_PARTY_AUTH_ERROR' };
const MALFORMED: Outcome = { kind: 'rejected', reason: 'malformed_token', blame: 'token' };

async function setup(outcome: Outcome) {
  const virtual = await createVirtualCore();
  let isBad = (_token: string) => false;
  virtual.weather = (push) =>
    isBad(push.token) ? { outcome, endsAfterMs: 20, isTaken: false } : CALM(push);
  let payloads = 0;
  const push = async (token: string, deviceId?: string) => {
    payloads += 1;
    const told = call(virtual, token, {
      payload: `{"n":${payloads}}`,
      ...(deviceId === undefined ? {} : { deviceId }),
    });
    await virtual.clock.run(100);
    return told;
  };
  return {
    virtual,
    push,
    failFor: (prefix: string) => {
      isBad = (token) => token.startsWith(prefix);
    },
  };
}

function detailOf({ core }: VirtualCore): string | undefined {
  const readiness = readReadiness({ ...core, lanes: core.lanes.all, isDraining: () => false });
  return readiness.checks['default/fcm']?.detail;
}

test('21 invented tokens that worked once and die do not change readiness', async () => {
  const { virtual, push, failFor } = await setup(DEAD);
  const tokens = Array.from({ length: 42 }, (_, n) => `minted ${n}`);
  for (const token of tokens) expect((await push(token)).status).toBe('delivered');
  failFor('minted');
  for (const token of tokens) expect((await push(token)).code).toBe('token_unregistered');
  expect(detailOf(virtual)).toBeUndefined();
});

test('invented tokens that die do not keep a dead phone of the vendor out of quarantine', async () => {
  const { virtual, push, failFor } = await setup(DEAD);
  for (let n = 0; n < 30; n += 1) await push(`minted ${n}`);
  await push('minted device', 'a device');
  failFor('minted');
  for (let n = 0; n < 30; n += 1) await push(`minted ${n}`);
  await push('minted device', 'a device');
  const pushes = virtual.pushes.length;
  expect((await push('minted device', 'a device')).code).toBe('token_unregistered');
  expect(virtual.pushes).toHaveLength(pushes);
});

test.each([
  ['DeviceTokenNotForTopic', NOT_FOR_TOPIC],
  ['THIRD_PARTY_AUTH_ERROR', THIRD_PARTY],
])(
  '%s for strangers’ tokens does not change readiness, while others’ pushes arrive or not',
  async (_reason, outcome) => {
    const { virtual, push, failFor } = await setup(outcome);
    failFor('stranger');
    for (let n = 0; n < 50; n += 1) {
      const told = await push(`stranger ${n}`);
      // No push arrived yet, so the cause cannot be known.
      expect(told.code).toBe('provider_misconfigured');
    }
    expect(detailOf(virtual)).toBeUndefined();
    await push('a phone');
    for (let n = 50; n < 100; n += 1)
      expect((await push(`stranger ${n}`)).code).toBe('token_rejected');
    expect(detailOf(virtual)).toBeUndefined();
  },
);

test('DeviceTokenNotForTopic for one device of the vendor does not change readiness', async () => {
  const { virtual, push, failFor } = await setup(NOT_FOR_TOPIC);
  failFor('device');
  for (let n = 0; n < 20; n += 1) await push('device 1', 'device 1');
  expect(detailOf(virtual)).toBeUndefined();
});

test('for three registered devices it makes readiness red, and that ends without traffic', async () => {
  const { virtual, push, failFor } = await setup(THIRD_PARTY);
  failFor('device');
  for (const id of ['device 1', 'device 2', 'device 3']) await push(id, id);
  expect(detailOf(virtual)).toBe('3 of 3 THIRD_PARTY_AUTH_ERROR in 1 min');
  await virtual.clock.run(9 * MINUTE);
  expect(detailOf(virtual)).toBe('3 of 3 THIRD_PARTY_AUTH_ERROR in 10 min');
  await virtual.clock.run(MINUTE);
  expect(detailOf(virtual)).toBeUndefined();
});

test('a wrong environment makes readiness red by the deaths of devices that worked, and that ends, too', async () => {
  const { virtual, push, failFor } = await setup(DEAD);
  const ids = Array.from({ length: 25 }, (_, n) => `device ${n}`);
  for (const id of ids) await push(id, id);
  failFor('device');
  const told = [];
  for (const id of ids) told.push((await push(id, id)).code);
  expect(detailOf(virtual)).toContain('come back dead');
  // The phone is not the cause, and gets pushes again when the settings are right.
  expect(told.at(-1)).toBe('provider_misconfigured');
  failFor('nobody');
  expect((await push('device 0', 'device 0')).status).toBe('delivered');
  await virtual.clock.run(11 * MINUTE);
  expect(detailOf(virtual)).toBeUndefined();
});

test('malformed strangers’ tokens are quarantined and do not change readiness', async () => {
  const { virtual, push, failFor } = await setup(MALFORMED);
  failFor('stranger');
  for (let n = 0; n < 20; n += 1) expect((await push(`stranger ${n}`)).code).toBe('token_rejected');
  expect(detailOf(virtual)).toBeUndefined();
  const pushes = virtual.pushes.length;
  expect((await push('stranger 1')).code).toBe('token_rejected');
  expect(virtual.pushes).toHaveLength(pushes);
});

test('three proven tokens called malformed mean that the message is wrong, and none is quarantined', async () => {
  const { virtual, push, failFor } = await setup(MALFORMED);
  const tokens = ['phone 1', 'phone 2', 'phone 3'];
  for (const token of tokens) await push(token);
  failFor('phone');
  const told = [];
  for (const token of tokens) told.push((await push(token)).code);
  expect(told.at(-1)).toBe('message_rejected');
  expect(detailOf(virtual)).toContain('refuses messages');
  failFor('nobody');
  for (const token of tokens) expect((await push(token)).status).toBe('delivered');
  expect(detailOf(virtual)).toBeUndefined();
});
