// What readiness says about devices that a provider refuses: their number, how much they weigh, and which ones do not
// count.

import { expect, test } from 'vitest';
import type { Registrar } from '../../../src/core/ports/devices.ts';
import { Doubt } from '../../../src/core/tokens/doubt.ts';
import { ManualClock } from '../../support/manual-clock.ts';

const MINUTE = 60_000;
const BAD = 'BadDeviceToken';

interface Device {
  readonly registrar?: Registrar | undefined;
  readonly provenForMs?: number | undefined;
  readonly isRegistered?: boolean;
}

function setup() {
  const clock = new ManualClock();
  const doubt = new Doubt(clock);
  const evidence = (n: number, device: Device) => ({
    app: 'default',
    provider: 'apns' as const,
    tokenHash: `token ${n}`,
    deviceId: device.isRegistered === false ? undefined : `device ${n}`,
    registrar: device.registrar,
    provenForMs: device.provenForMs,
  });
  return {
    clock,
    refuse: (count: number, device: Device = {}, reason = BAD) => {
      for (let n = 0; n < count; n += 1) doubt.noteRefused(evidence(n, device), reason);
    },
    accept: (count: number) => {
      for (let n = 0; n < count; n += 1) doubt.weigh(evidence(1_000 + n, {}), false);
    },
    figures: () => doubt.refusals('default', 'apns'),
  };
}

test('counts the refusals of several devices since the last accepted push', () => {
  const { clock, refuse, accept, figures } = setup();
  accept(5);
  clock.advance(MINUTE);
  refuse(31);
  clock.advance(12 * MINUTE);
  refuse(31);
  expect(figures()).toEqual({
    reason: BAD,
    refused: 62,
    answers: 62,
    overMs: 12 * MINUTE,
    isTotal: true,
  });
});

test('after an accepted push they count as a share, and below a tenth as nothing', () => {
  const { clock, refuse, accept, figures } = setup();
  refuse(6);
  clock.advance(MINUTE);
  accept(1);
  expect(figures()).toMatchObject({ refused: 6, answers: 7, isTotal: false });
  accept(60);
  expect(figures()).toBeUndefined();
});

test('two devices may be one person, and refusals older than ten minutes do not count', () => {
  const { clock, refuse, figures } = setup();
  refuse(2);
  refuse(2);
  expect(figures()).toBeUndefined();
  refuse(3);
  clock.advance(10 * MINUTE - 1);
  expect(figures()).toBeDefined();
  clock.advance(1);
  expect(figures()).toBeUndefined();
});

test('strangers never count, nor do devices that any user of the app can register', () => {
  const { refuse, figures } = setup();
  refuse(50, { isRegistered: false });
  refuse(50, { isRegistered: false, provenForMs: 59 * MINUTE });
  refuse(50, { registrar: 'self' });
  refuse(50, { registrar: 'app', provenForMs: MINUTE });
  expect(figures()).toBeUndefined();
  refuse(3, { registrar: 'self', provenForMs: 60 * MINUTE });
  expect(figures()).toMatchObject({ refused: 3 });
});

test('names the most frequent reason', () => {
  const { refuse, figures } = setup();
  refuse(3, {}, 'DeviceTokenNotForTopic');
  refuse(9);
  expect(figures()).toMatchObject({ reason: BAD, refused: 9, answers: 12 });
});
