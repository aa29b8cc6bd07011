// The callers of the demo that never stop, in virtual time: a call every few seconds, of which some fail.

import { expect, onTestFinished, test } from 'vitest';
import { startTraffic } from '../../sandbox/demo/traffic.ts';
import { SECOND, setupDriven } from '../support/driven-service.ts';
import { freePort } from '../support/program.ts';
import { REGISTRY_ENVIRONMENT } from '../support/registry.ts';
import { ANDROID_TOKEN } from '../support/service.ts';

/** After which the callers begin again. */
const STEPS = 10;

test('keeps posting a call every three seconds, most of them delivered, some refused or tried again', async () => {
  // Callers use the URLs that the service returns.
  const url = `http://127.0.0.1:${await freePort()}`;
  const { running, clock, rows } = await setupDriven({
    environment: {
      ...REGISTRY_ENVIRONMENT,
      NOTIFY_HTTP_ADDRESS: new URL(url).host,
      NOTIFY_EXTERNAL_URL: url,
    },
  });
  const backendKey = REGISTRY_ENVIRONMENT.NDS_BACKEND_KEYS;
  const stop = await startTraffic({ url, backendKey, sandbox: running.sandbox, clock });
  onTestFinished(stop);
  const answers = () =>
    running.log.events.flatMap((event) =>
      event.name === 'request_answered' ? [event.status] : [],
    );
  const registrations = answers().length;
  const call = async (number: number) => {
    clock.advance(3 * SECOND);
    await running.log.waitFor(({ name }) => name === 'request_answered', registrations + number);
  };
  for (let number = 1; number <= 2 * STEPS; number += 1) await call(number);
  const [first, second] = [
    answers().slice(registrations, registrations + STEPS),
    answers().slice(registrations + STEPS),
  ];
  expect(first).toEqual([200, 200, 200, 200, 410, 200, 200, 401, 400, 404]);
  expect(second).toEqual(first);
  const deliveries = await rows();
  expect(deliveries.filter(({ attempts }) => attempts.length > 1).length).toBeGreaterThan(0);
  const statuses = deliveries.map(({ status }) => status);
  expect(statuses.filter((status) => status === 'delivered').length).toBeGreaterThan(
    statuses.length / 2,
  );
  expect(statuses).toContain('unregistered');
  stop();
  clock.advance(60 * SECOND);
  await running.notify(ANDROID_TOKEN, 'ab'.repeat(32));
  expect(answers()).toHaveLength(registrations + 2 * STEPS + 1);
});
