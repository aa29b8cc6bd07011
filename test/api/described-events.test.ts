// Checks that a wrong event is noticed: every receiver of the tests relies on it.

import { expect, test } from 'vitest';
import { EVENTS } from '../../src/core/events/catalogue.ts';
import { DESCRIBED_EVENTS, faultOfEvent } from '../support/described-events.ts';

const [timestamp, app, provider] = ['2026-11-26T03:00:02.120Z', 'default', 'fcm'];

test('every event is described', () => {
  expect(DESCRIBED_EVENTS.toSorted()).toEqual(Object.keys(EVENTS).toSorted());
});

test('an event is checked against the schema of its type', () => {
  const told = (data: object, type = 'provider.down') =>
    faultOfEvent(JSON.stringify({ type, timestamp, data }));
  const outage = { app, provider, reason: 'timeout' };
  expect(told(outage)).toBeUndefined();
  expect(told({}, 'test.ping')).toBeUndefined();
  expect(told(outage, 'provider.gone')).toMatch(/^no such event/);
  expect(told({ app, provider })).toContain('reason');
  expect(told({ ...outage, token: 'x' })).toContain('additional properties');
  expect(told({ ...outage, provider: 'apple' })).toContain('provider');
  expect(told({ from: timestamp, to: timestamp, count: 0 }, 'events.dropped')).toContain('count');
  const digest = { token_sha256: 'AB'.repeat(32), app };
  expect(told(digest, 'device.silent')).toContain('token_sha256');
});
