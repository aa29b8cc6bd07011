// What happens to payments that wait while a provider is away, from one waiting payment to fifty.

import { describe, test } from 'vitest';
import { expectOutageSurvived, KINDS, outage, quietVendor, SECOND, suffer } from './outage.ts';

const OUTAGES_S = [3, 6, 14, 40];
const WAITING = [1, 2, 3, 5, 10, 50];

describe.each(['apns', 'fcm'] as const)('%s', (provider) => {
  describe.each(KINDS)('%s', (kind) => {
    describe.each(OUTAGES_S)('for %i s', (seconds) => {
      test.each(WAITING)('%i waiting', async (waiting) => {
        const virtual = await quietVendor(provider);
        const fromMs = virtual.atMs;
        const untilMs = fromMs + seconds * SECOND;
        const weather = outage(kind, provider, { fromMs, untilMs });
        const calls = await suffer(virtual, weather, { provider, seconds, waiting });
        expectOutageSurvived(virtual, calls, { kind, untilMs, seconds });
      });
    });
  });
});
