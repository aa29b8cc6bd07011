// Outages for races with less time: LNURL's 30 s, of which 22 are useful, and questions to a device.

import { describe, expect, test } from 'vitest';
import { notificationOf, recipientOf } from '../../support/virtual-core.ts';
import {
  expectOutageSurvived,
  KINDS,
  outage,
  pushesOf,
  quietVendor,
  SECOND,
  suffer,
  tokenOf,
  type Waiting,
} from './outage.ts';

const TYPES = ['lnurlpay_info', 'lnurlpay_invoice', 'lnurlpay_verify'] as const;
const LNURL_MS = 30 * SECOND;
const QUESTION_MS = 50 * SECOND;

describe.each(['apns', 'fcm'] as const)('%s', (provider) => {
  describe.each(KINDS)('%s', (kind) => {
    describe.each([3, 6, 14, 40])('for %i s', (seconds) => {
      test.each([1, 3, 10, 50])('LNURL requests, %i waiting', async (waiting) => {
        const virtual = await quietVendor(provider);
        const fromMs = virtual.atMs;
        const untilMs = fromMs + seconds * SECOND;
        const weather = outage(kind, provider, { fromMs, untilMs });
        const type = TYPES[waiting % TYPES.length] ?? 'lnurlpay_info';
        const suffering = { provider, seconds, waiting, type, lifetimeMs: LNURL_MS };
        const calls = await suffer(virtual, weather, suffering);
        expectOutageSurvived(virtual, calls, { kind, untilMs, seconds });
      });

      test.each([1, 5, 30])('questions to a device, %i waiting', async (waiting) => {
        const virtual = await quietVendor(provider);
        const fromMs = virtual.atMs;
        const untilMs = fromMs + seconds * SECOND;
        virtual.weather = outage(kind, provider, { fromMs, untilMs });
        const calls: Waiting[] = [];
        const said: string[] = [];
        for (let n = 0; n < waiting; n += 1) {
          const token = tokenOf(provider, n);
          const notification = () =>
            notificationOf({ type: 'invoice_request', lifetimeMs: QUESTION_MS });
          const recipient = recipientOf(token, provider);
          virtual.core.asker
            .ask(
              { recipient, key: token, deadlineMs: QUESTION_MS, notification },
              new AbortController().signal,
            )
            .catch(({ code }: { readonly code?: string }) => said.push(code ?? 'internal'));
          calls.push({ token, receivedAtMs: virtual.atMs, lifetimeMs: QUESTION_MS, told: {} });
          await virtual.clock.run((seconds * SECOND) / 2 / waiting);
        }
        await virtual.clock.run(seconds * SECOND + QUESTION_MS);
        expectOutageSurvived(virtual, calls, { kind, untilMs, seconds });
        // No caller was answered before the phone could have replied, except if no attempt could follow.
        const arrived = calls.filter(({ token }) => {
          return (pushesOf(virtual, token).at(-1)?.atMs ?? 0) >= untilMs;
        });
        expect(said).toHaveLength(waiting);
        const silent = said.filter((code) => code === 'no_reply').length;
        expect(silent).toBeGreaterThanOrEqual(arrived.length);
      });
    });
  });
});
