// What happens to payments that wait while a provider is away, from one waiting payment to fifty. The weather is
// written in the adapters' terms, so that it can say nothing that no adapter says.

import { describe, expect, test } from 'vitest';
import type { Outcome } from '../../../src/core/outcome.ts';
import type { ProviderName } from '../../../src/core/target.ts';
import { readApnsAnswer } from '../../../src/providers/apns/response.ts';
import { readFcmAnswer } from '../../../src/providers/fcm/response.ts';
import { failureOutcome } from '../../../src/providers/http2/transport-failures.ts';
import {
  CALM,
  createVirtualCore,
  type Fate,
  notificationOf,
  recipientOf,
  type VirtualCore,
  type Weather,
} from '../../support/virtual-core.ts';

const SECOND = 1_000;
const HOUR = 3_600 * SECOND;
const KINDS = ['refused', '500', '502 as HTML', '503', '429', 'reset', 'hang'] as const;
type Kind = (typeof KINDS)[number];
const OUTAGES_S = [3, 6, 14, 40];
const WAITING = [1, 2, 3, 5, 10, 50];
const USEFUL_MS = 52 * SECOND;

/** Connections stay alive, so that each of these may have been taken. */
const MAY_BE_TAKEN: readonly Kind[] = ['hang', 'reset'];

function answered(provider: ProviderName, status: number, body: string): Outcome {
  const answer = { kind: 'answer', status, headers: {}, body } as const;
  return provider === 'apns' ? readApnsAnswer(answer, 0) : readFcmAnswer(answer, 0);
}

function fcmError(status: number, errorCode: string): string {
  const details = [{ '@type': 'type.googleapis.com/google.firebase.fcm.v1.FcmError', errorCode }];
  return JSON.stringify({ error: { code: status, details } });
}

function fateOf(kind: Kind, provider: ProviderName, timeoutMs: number): Fate {
  const quick = { endsAfterMs: 20, isTaken: false };
  const isApns = provider === 'apns';
  switch (kind) {
    case 'refused':
      return { outcome: failureOutcome('connection_refused'), ...quick };
    case '500':
      return {
        outcome: answered(
          provider,
          500,
          isApns ? '{"reason":"InternalServerError"}' : fcmError(500, 'INTERNAL'),
        ),
        ...quick,
      };
    case '502 as HTML':
      return { outcome: answered(provider, 502, '<html>Bad Gateway</html>'), ...quick };
    case '503':
      return {
        outcome: answered(
          provider,
          503,
          isApns ? '{"reason":"ServiceUnavailable"}' : fcmError(503, 'UNAVAILABLE'),
        ),
        ...quick,
      };
    case '429':
      return {
        outcome: answered(
          provider,
          429,
          isApns ? '{"reason":"TooManyRequests"}' : fcmError(429, 'QUOTA_EXCEEDED'),
        ),
        ...quick,
      };
    case 'reset':
      return { outcome: failureOutcome('stream_reset'), endsAfterMs: 20, isTaken: true };
    case 'hang':
      return { outcome: failureOutcome('timeout'), endsAfterMs: timeoutMs, isTaken: true };
  }
}

function outage(
  kind: Kind,
  provider: ProviderName,
  { fromMs, untilMs }: { readonly fromMs: number; readonly untilMs: number },
): Weather {
  return (push) => {
    const isAway = push.atMs >= fromMs && push.atMs < untilMs;
    return isAway ? fateOf(kind, provider, push.timeoutMs) : CALM(push);
  };
}

interface Told {
  readonly token: string;
  readonly receivedAtMs: number;
  status?: string;
  code?: string;
}

async function call(virtual: VirtualCore, provider: ProviderName, token: string): Promise<Told> {
  const told: Told = { token, receivedAtMs: virtual.atMs };
  const notification = notificationOf({ payload: `{"payment_hash":"${token}"}` });
  virtual.core.dispatcher.accept(notification, recipientOf(token, provider)).then(
    ({ status }) => {
      told.status = status;
    },
    (error: { readonly code?: string }) => {
      told.code = error.code ?? 'internal';
    },
  );
  return told;
}

/** The n-th token; APNs tokens are hex. */
function tokenOf(provider: ProviderName, n: number): string {
  return provider === 'apns' ? n.toString(16).padStart(64, 'a') : `token-${n}`;
}

async function suffer(
  kind: Kind,
  provider: ProviderName,
  { seconds, waiting }: { readonly seconds: number; readonly waiting: number },
) {
  const virtual = await createVirtualCore({ provider });
  // The vendor's last push was an hour ago.
  await call(virtual, provider, tokenOf(provider, 999));
  await virtual.clock.run(HOUR);
  const fromMs = virtual.atMs;
  const untilMs = fromMs + seconds * SECOND;
  virtual.weather = outage(kind, provider, { fromMs, untilMs });
  const calls: Told[] = [];
  // They come in the first half of the outage.
  const gapMs = (seconds * SECOND) / 2 / waiting;
  for (let n = 0; n < waiting; n += 1) {
    calls.push(await call(virtual, provider, tokenOf(provider, n)));
    await virtual.clock.run(gapMs);
  }
  await virtual.clock.run(seconds * SECOND + 60 * SECOND);
  return { virtual, calls, untilMs };
}

function pushesOf(virtual: VirtualCore, token: string) {
  return virtual.pushes.filter((push) => push.token === token);
}

describe.each(['apns', 'fcm'] as const)('%s', (provider) => {
  describe.each(KINDS)('%s', (kind) => {
    const isException = MAY_BE_TAKEN.includes(kind);
    describe.each(OUTAGES_S)('for %i s', (seconds) => {
      test.each(WAITING)('%i waiting', async (waiting) => {
        const { virtual, calls, untilMs } = await suffer(kind, provider, { seconds, waiting });
        for (const told of calls) {
          const pushes = pushesOf(virtual, told.token);
          const usefulUntilMs = told.receivedAtMs + USEFUL_MS;
          const last = pushes.at(-1)?.atMs ?? 0;
          const arrived = last >= untilMs;
          if (isException) {
            expect(pushes.filter(({ isTaken }) => isTaken).length).toBeLessThanOrEqual(4);
            if (seconds <= 14) expect(arrived, told.token).toBe(true);
            continue;
          }
          expect(told.code, 'nobody is refused in a young outage').toBeUndefined();
          if (usefulUntilMs > untilMs + 1_500) expect(arrived, told.token).toBe(true);
          else expect(last).toBeGreaterThan(usefulUntilMs - 10 * SECOND);
        }
        const open = [...virtual.store.rows.values()].filter(({ status }) => status === 'queued');
        expect(open).toEqual([]);
      });
    });
  });
});
