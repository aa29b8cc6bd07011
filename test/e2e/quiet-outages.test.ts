// The outage of a vendor with little traffic: one phone, one payment, and a provider that is away for six seconds, with
// the real store and the real adapters. All kinds of outage in virtual time are in
// test/core/sending/short-outages.test.ts.

import { expect, test } from 'vitest';
import type { OutageKind } from '../../sandbox/outage.ts';
import type { ProviderName } from '../../sandbox/records.ts';
import { SECOND, setupDriven } from '../support/driven-service.ts';
import { ANDROID_TOKEN, IOS_TOKEN } from '../support/service.ts';

const TOKENS: Readonly<Record<ProviderName, string>> = { fcm: ANDROID_TOKEN, apns: IOS_TOKEN };
const KINDS = [
  'refused',
  'status_500',
  'html_502',
  'status_503',
  'status_429',
] as const satisfies readonly OutageKind[];

const CASES = (['fcm', 'apns'] as const).flatMap((provider) =>
  KINDS.map((kind) => ({ provider, kind })),
);

test.each(CASES)(
  '$provider, $kind: a lone payment arrives within two seconds of the end',
  async ({ provider, kind }) => {
    const { running, clock, pay, elapse, rows } = await setupDriven();
    const { sandbox } = running;
    await sandbox.startOutage(provider, { kind, accepted: false });
    const paidAtMs = clock.wallMs();
    const told = await pay(TOKENS[provider], 'aa');
    expect(told).toMatchObject({ status: 200, body: { status: 'queued' } });
    await elapse(paidAtMs + 6 * SECOND - clock.wallMs(), 100);
    expect(sandbox.received()).toEqual([]);
    await sandbox.endOutage(provider);
    await elapse(2 * SECOND, 100);

    expect(sandbox.received().map(({ token }) => token)).toEqual([TOKENS[provider]]);
    const [row] = await rows();
    expect(row).toMatchObject({ id: told.body.id, status: 'delivered' });
    const outcomes = row?.attempts.map(({ outcome }) => outcome) ?? [];
    expect(outcomes.at(-1)).toBe('delivered');
    expect(new Set(outcomes.slice(0, -1))).toEqual(new Set(['retry']));
  },
);

test.each(['fcm', 'apns'] as const)(
  '%s that resets streams whose pushes it may have taken: the third attempt waits ten seconds and arrives',
  async (provider) => {
    const { running, pay, elapse, rows, asked } = await setupDriven();
    const { sandbox } = running;
    await sandbox.startOutage(provider, { kind: 'reset_stream', accepted: false });
    const told = await pay(TOKENS[provider], 'aa');
    expect(told).toMatchObject({ status: 200, body: { status: 'queued' } });
    await elapse(6 * SECOND, 100);
    expect(asked()).toBe(2);
    await sandbox.endOutage(provider);
    await elapse(9 * SECOND, 100);
    expect(sandbox.received().map(({ token }) => token)).toEqual([TOKENS[provider]]);
    const [row] = await rows();
    expect(row?.status).toBe('delivered');
    expect(row?.attempts.map(({ outcome }) => outcome)).toEqual(['retry', 'retry', 'delivered']);
  },
);
