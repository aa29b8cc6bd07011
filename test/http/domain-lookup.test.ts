// How long the call of a domain waits for the registry.

import { expect, onTestFinished, test, vi } from 'vitest';
import { Registry } from '../../src/core/devices/registry.ts';
import { refusalOf, send } from '../support/callers.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { REGISTRY_ENVIRONMENT } from '../support/registry.ts';
import { setup } from '../support/service.ts';
import { sparkPaymentCall } from '../support/signed-calls.ts';

test('the call of a domain waits for the registry for two seconds at most', async () => {
  const clock = new ManualClock();
  const secret = 'secret-of-the-domain';
  const NDS_SOURCES = JSON.stringify({ domains: { 'pay.example.com': { secrets: [secret] } } });
  const { service } = await setup({
    clock,
    environment: { ...REGISTRY_ENVIRONMENT, NDS_SOURCES },
  });
  const asked = Promise.withResolvers<void>();
  const silent = vi.spyOn(Registry.prototype, 'findByUser').mockImplementation(() => {
    asked.resolve();
    return new Promise(() => {});
  });
  onTestFinished(() => silent.mockRestore());
  const path = '/api/v1/webhooks/spark_payment_received/pay.example.com';
  const answer = send(
    service.url,
    sparkPaymentCall({ path, secret, user: `02${'ab'.repeat(32)}` }),
  );
  await asked.promise;
  clock.advance(2_000);
  expect(refusalOf(await answer)).toBe('503 store_unavailable');
});
