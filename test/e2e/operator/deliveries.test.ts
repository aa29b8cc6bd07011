// Deliveries as operators list and read them.

import { expect, test } from 'vitest';
import { z } from 'zod';
import { deliveryAnswer } from '../../../src/http/operator/answers.ts';
import { listDeliveriesAnswer } from '../../../src/http/operator/deliveries.ts';
import { refusalOf } from '../../support/callers.ts';
import { faultyFields } from '../../support/device-calls.ts';
import { androidToken, HOUR, iosToken, setupDriven } from '../../support/driven-service.ts';
import { OPERATOR_ENVIRONMENT, operate, told } from '../../support/operator-calls.ts';
import type { Setup } from '../../support/service.ts';

const answered = z.object({ id: z.string() });

async function start() {
  return await setupDriven({ environment: OPERATOR_ENVIRONMENT });
}

async function list(running: Setup, query: Record<string, string> = {}) {
  const answer = await operate(running, { path: `/deliveries?${new URLSearchParams(query)}` });
  return listDeliveriesAnswer.parse(told(answer));
}

async function idsOf(running: Setup, query: Record<string, string>): Promise<readonly string[]> {
  return (await list(running, query)).deliveries.map(({ id }) => id);
}

test('returns everything that the log knows about a delivery', async () => {
  const { running, pay, clock } = await start();
  const receivedAt = new Date(clock.wallMs()).toISOString();
  const { id } = answered.parse((await pay(androidToken(1), 'aa')).body);
  await running.service.settled();
  const answer = await operate(running, { path: `/deliveries/${id.toUpperCase()}` });
  const delivery = deliveryAnswer.parse(told(answer));
  expect(delivery).toMatchObject({
    id,
    received_at: receivedAt,
    settled_at: receivedAt,
    status: 'delivered',
    app: 'default',
    platform: 'android',
    provider: 'fcm',
    type: 'payment_received',
    token_fingerprint: running.service.ids.fingerprint(`default\n${androidToken(1)}`),
    door: '/api/v1/notify',
    source: 'notify',
    told: 'delivered',
    told_status: 200,
    told_at: receivedAt,
    lifetime_ms: 60_000,
    repeats: 0,
    attempts: [{ number: 1, started_at: receivedAt, latency_ms: 0, outcome: 'delivered' }],
  });
  expect((await list(running)).deliveries).toEqual([delivery]);
  expect(answer.text).not.toContain(androidToken(1));
  expect(answer.headers['cache-control']).toBe('no-store');
});

test('lists page by page, newest first, until there is no more', async () => {
  const { running, pay } = await start();
  const ids: string[] = [];
  for (let number = 0; number < 7; number += 1) {
    ids.unshift(answered.parse((await pay(androidToken(number), 'aa')).body).id);
  }
  await running.service.settled();
  const pages: string[][] = [];
  let cursor: string | undefined;
  do {
    const page = await list(running, { limit: '3', ...(cursor && { cursor }) });
    pages.push(page.deliveries.map(({ id }) => id));
    cursor = page.next;
  } while (cursor !== undefined);
  expect(pages).toEqual([ids.slice(0, 3), ids.slice(3, 6), ids.slice(6)]);
});

test('filters by app, provider, type, status and time', async () => {
  const { running, pay, announce, clock } = await start();
  const old = answered.parse((await pay(iosToken(1), 'aa')).body).id;
  clock.advance(2 * HOUR);
  const since = new Date(clock.wallMs()).toISOString();
  running.sandbox.script({ provider: 'fcm', fault: { kind: 'fcm_error', error: 'UNREGISTERED' } });
  await pay(androidToken(2), 'bb');
  const event = answered.parse((await announce('event')).body).id;
  await running.service.settled();
  const [, dead = ''] = await idsOf(running, {});
  const cases: readonly (readonly [Record<string, string>, readonly string[]])[] = [
    [{}, [event, dead, old]],
    [{ app: 'default' }, [event, dead, old]],
    [{ app: 'another' }, []],
    [{ provider: 'apns' }, [old]],
    [{ provider: 'apns_sandbox' }, []],
    [{ type: 'nwc_event' }, [event]],
    [{ status: 'unregistered' }, [dead]],
    [{ status: 'delivered', provider: 'fcm' }, [event]],
    [{ since: '1h' }, [event, dead]],
    [{ since }, [event, dead]],
    [{ since: '3h' }, [event, dead, old]],
    [{ since: '2100-01-01T00:00:00+01:00' }, []],
  ];
  for (const [query, expected] of cases) {
    expect(await idsOf(running, query), JSON.stringify(query)).toEqual(expected);
  }
});

const BAD_QUERIES: readonly (readonly [string, string])[] = [
  ['cursor=0', 'cursor'],
  ['cursor=-1', 'cursor'],
  ['cursor=9999999999999999', 'cursor'],
  ['cursor=%00', 'cursor'],
  ['cursor=', 'cursor'],
  ['limit=0', 'limit'],
  ['limit=201', 'limit'],
  ['limit=1e2', 'limit'],
  ['limit=10&limit=20', 'limit'],
  ['status=done', 'status'],
  ['provider=gcm', 'provider'],
  ['type=payment%20received', 'type'],
  ['app=', 'app'],
  [`app=${'x'.repeat(65)}`, 'app'],
  ['since=yesterday', 'since'],
  ['since=2026-11-26', 'since'],
  ['since=2026-11-26T03:00:00', 'since'],
  ['since=0h', 'since'],
  ['since=99999999d', 'since'],
  ['token=secret-token', 'token'],
];

test('names the parameter at fault, and not its value', async () => {
  const { running } = await start();
  for (const [query, field] of BAD_QUERIES) {
    const answer = await operate(running, { path: `/deliveries?${query}` });
    expect(refusalOf(answer), query).toBe('400 bad_query');
    expect(faultyFields(answer), query).toEqual([field]);
    expect(answer.text).not.toContain('secret-token');
  }
});

test('an id that is unknown or none at all is 404', async () => {
  const { running } = await start();
  for (const id of ['01988000-0000-7000-8000-000000000000', 'nonsense', '%2f', 'x'.repeat(2_000)]) {
    const answer = await operate(running, { path: `/deliveries/${id}` });
    expect(refusalOf(answer), id.slice(0, 40)).toBe('404 unknown_delivery');
  }
});
