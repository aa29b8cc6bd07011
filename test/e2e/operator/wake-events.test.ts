// Which events about wakes the vendor's backend gets: from the phone's receipt, or its silence, to the call at the
// endpoint.

import { createHash } from 'node:crypto';
import Database from 'better-sqlite3';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { androidToken, HOUR, MINUTE, SECOND, setupDriven } from '../../support/driven-service.ts';
import { type Received, startReceiver } from '../../support/event-receiver.ts';
import { METRICS_ENVIRONMENT, metric } from '../../support/metrics.ts';
import { OPERATOR_ENVIRONMENT, operate, told } from '../../support/operator-calls.ts';
import { EXTERNAL_URL, type Setup } from '../../support/service.ts';

const PHONE = androidToken(7);
const addressSchema = z.object({ r: z.string() });
const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');

async function start(settings: object = { receipts: true }) {
  const receiver = await startReceiver();
  const driven = await setupDriven({
    environment: {
      ...METRICS_ENVIRONMENT,
      ...OPERATOR_ENVIRONMENT,
      NDS_ENDPOINT_NETWORKS: '127.0.0.0/8',
      NDS_APPS: JSON.stringify({ default: settings }),
    },
  });
  const { running, clock, pay } = driven;
  const events = ['delivery.*', 'delivery.woke', 'device.*'];
  const body = { url: receiver.url, enabled_events: events };
  told(await operate(running, { method: 'POST', path: '/endpoints', body }));
  let payments = 0;
  const settled = () => running.service.settled();
  // Calls under way end before their 15 s are over.
  const step = async () => {
    const recorded = countEvents(running);
    clock.advance(10 * SECOND);
    await running.log.waitFor(({ name }) => name === 'event_sent', recorded);
    await settled();
  };
  return {
    ...{ running, receiver, clock, settled },
    /** Pushes, and returns the address to which the phone sends its receipts. */
    push: async (token = PHONE) => {
      payments += 1;
      const hash = payments.toString(16).padStart(64, 'c');
      const { id } = (await pay(token, hash)).body;
      await settled();
      const { nds = 'null' } = running.sandbox.received().at(-1)?.data ?? {};
      const path = addressSchema.parse(JSON.parse(nds)).r.slice(EXTERNAL_URL.length);
      return { id, hash, path };
    },
    answer: async (path: string, receipt: object = {}) => {
      const body = JSON.stringify({ stage: 'started', ...receipt });
      await fetch(`${running.service.url}${path}`, { method: 'POST', body });
      await settled();
    },
    /** Passes the lifetime of the last push and a minute more, with the sweeps in that time. */
    pass: async () => {
      for (let seconds = 0; seconds < 140; seconds += 10) await step();
    },
    /** How many phones became silent, returned, and were demoted, according to the metrics. */
    changes: () => {
      const of = (change: string) =>
        metric(running, 'nds_device_changes_total', {
          app: 'default',
          platform: 'android',
          change,
        });
      return Promise.all(['silent', 'returned', 'demoted'].map(of));
    },
    /** Resolves when every recorded event has arrived at the endpoint. */
    heard: async () => {
      await step();
      return receiver.received.map(({ event }) => event);
    },
  };
}

/** The number of events that were ever recorded. */
function countEvents({ environment }: Setup): number {
  const db = new Database(environment.NDS_DATABASE ?? '', { readonly: true });
  try {
    const found = db.prepare("SELECT seq FROM sqlite_sequence WHERE name = 'events'").pluck().get();
    return Number(found ?? 0);
  } finally {
    db.close();
  }
}

function typesOf(received: readonly Received[]): readonly string[] {
  return received.map(({ event }) => event.type);
}

test('a receipt is a wake, silence after it is not, and a phone that never sent a receipt is not judged', async () => {
  const { running, receiver, push, answer, pass, heard } = await start();
  const woken = await push();
  await answer(woken.path);
  await answer(woken.path);
  expect((await heard())[0]).toMatchObject({
    type: 'delivery.woke',
    data: {
      ...{ delivery_id: woken.id, app: 'default', notification_type: 'payment_received' },
      token_sha256: sha256(PHONE),
    },
  });
  const missed = await push();
  const unknown = await push(androidToken(8));
  await pass();
  expect((await heard())[1]).toMatchObject({
    type: 'delivery.no_wake',
    data: {
      ...{ delivery_id: missed.id, app: 'default', provider: 'fcm' },
      notification_type: 'payment_received',
      token_sha256: sha256(PHONE),
      subject_sha256: sha256(missed.hash),
    },
  });
  expect(missed.id).not.toBe(unknown.id);

  // Reported once, also by the sweeps of the next process; and a receipt that comes too late still counts as a wake.
  await running.restart();
  await pass();
  await answer(missed.path);
  await heard();
  await pass();
  expect(typesOf(receiver.received)).toEqual([
    'delivery.woke',
    'delivery.no_wake',
    'delivery.woke',
  ]);
});

test('a push that was taken before a restart is judged after it, but not if its receipt may have come during the stop', async () => {
  const { running, receiver, clock, push, answer, pass, heard } = await start();
  await answer((await push()).path);
  const missed = await push();
  clock.advance(10 * SECOND);
  await running.restart();
  await pass();
  const [, event] = await heard();
  expect(event).toMatchObject({ type: 'delivery.no_wake', data: { delivery_id: missed.id } });

  await push();
  clock.advance(10 * SECOND);
  await running.service.stop();
  clock.advance(6 * SECOND);
  await running.restart();
  await pass();
  await answer((await push()).path);
  await heard();
  expect(typesOf(receiver.received)).toEqual([
    'delivery.woke',
    'delivery.no_wake',
    'delivery.woke',
  ]);
});

test('a phone that becomes silent is reported and counted once, and its return by a receipt, too', async () => {
  const { receiver, clock, settled, push, answer, pass, heard, changes } = await start();
  await answer((await push()).path);
  let last = '';
  for (let number = 0; number < 5; number += 1) {
    await heard();
    clock.advance(7 * HOUR);
    await settled();
    last = (await push()).path;
    await pass();
  }
  await heard();
  expect(await changes()).toEqual([1, 0, 0]);
  // It returns, and reports twice that Android lowered the priority.
  for (const stage of ['started', 'done']) {
    await answer(last, { stage, priority: 'normal', original: 'high' });
  }
  const events = await heard();
  expect(await changes()).toEqual([1, 1, 1]);
  // The phone is not registered, so the vendor can recognise it only by this hash.
  const whose = { app: 'default', token_sha256: sha256(PHONE) };
  for (const type of ['device.silent', 'device.returned']) {
    expect(events.find((event) => event.type === type)?.data).toMatchObject(whose);
  }
  expect(typesOf(receiver.received)).toEqual([
    'delivery.woke',
    ...Array<string>(4).fill('delivery.no_wake'),
    ...['device.silent', 'delivery.no_wake', 'delivery.woke', 'device.returned'],
  ]);
});

test('without receipts none can be missed', async () => {
  const { running, receiver, clock, settled } = await start({});
  await running.notify(PHONE, 'aa');
  clock.advance(3 * MINUTE);
  await settled();
  clock.advance(10 * SECOND);
  await running.service.settled();
  expect(receiver.received).toEqual([]);
});
