// How long events are kept for an endpoint that does not take them, by the clock of the whole service.

import Database from 'better-sqlite3';
import { expect, test } from 'vitest';
import { DAY, HOUR, MINUTE, SECOND, setupDriven } from '../../support/driven-service.ts';
import { startReceiver } from '../../support/event-receiver.ts';
import { turn } from '../../support/intercept-store.ts';
import { OPERATOR_ENVIRONMENT, operate, told } from '../../support/operator-calls.ts';
import { ANDROID_TOKEN } from '../../support/service.ts';

/** Turns of the event loop, in which a call on loopback arrives. */
const TURNS = 2_000;

test('an event that the endpoint never took is deleted after a day, and the endpoint is told so', async () => {
  const receiver = await startReceiver();
  receiver.answer = (response) => response.writeHead(503).end();
  const { running, clock, pay } = await setupDriven({
    environment: { ...OPERATOR_ENVIRONMENT, NDS_ENDPOINT_NETWORKS: '127.0.0.0/8' },
  });
  const body = { url: receiver.url, enabled_events: ['device.*'] };
  told(await operate(running, { method: 'POST', path: '/endpoints', body }));
  const db = new Database(running.environment.NDS_DATABASE ?? '', { readonly: true });
  const kept = db.prepare<[], number>('SELECT count(*) FROM events').pluck();
  const fault = { kind: 'fcm_error', error: 'UNREGISTERED' } as const;
  running.sandbox.script({ provider: 'fcm', times: 1, fault });
  await pay(ANDROID_TOKEN, 'ab'.repeat(32));
  await running.service.settled();
  const beganAtMs = clock.wallMs();
  /** After a step the timer of the next call may not be set yet, and another step is needed. */
  const passUntilCalled = async (stepMs: number) => {
    const { length: before } = receiver.received;
    while (receiver.received.length === before) {
      clock.advance(stepMs);
      for (let turns = 0; turns < TURNS && receiver.received.length === before; turns += 1) {
        await turn();
      }
    }
  };
  await passUntilCalled(SECOND);

  clock.advance(DAY - 31 * MINUTE);
  let minutes = 0;
  while (kept.get() === 1 && minutes < 60) {
    clock.advance(MINUTE);
    await running.service.settled();
    minutes += 1;
  }
  // Old events are looked for every ten minutes.
  expect(clock.wallMs() - beganAtMs).toBeGreaterThan(DAY);
  expect(kept.get()).toBe(0);
  db.close();

  receiver.answer = (response) => response.end();
  const isTold = () => receiver.received.find(({ event }) => event.type === 'events.dropped');
  while (isTold() === undefined) await passUntilCalled(HOUR + HOUR / 5);
  const at = new Date(beganAtMs).toISOString();
  expect(isTold()?.event.data).toEqual({ count: 1, from: at, to: at });
});
