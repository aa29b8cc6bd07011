// What every adapter must do for e-mail endpoints: digests are counted in the transaction of the fact, for the
// endpoints that asked for it, and subtracted when they were mailed; alerts are found together with the time of the
// last mail about them.

import { expect, test } from 'vitest';
import type { DigestCount, EndpointAttempt } from '../../src/core/ports/events.ts';
import type { Outage } from '../../src/core/ports/records.ts';
import { sampleEmailEndpoint, sampleEndpoint } from '../support/endpoints.ts';
import type { OpenedEvents } from './event-samples.ts';
import { NOW } from './store-samples.ts';

const FCM = { app: 'default', provider: 'fcm', reason: 'timeout', beganAtMs: NOW } as const;
const DIGEST = { eventId: 'evt_digest', type: 'mail.digest', atMs: NOW, latencyMs: 1 } as const;
const TAKEN: EndpointAttempt = { ...DIGEST, outcome: 'delivered', status: 250 };

async function setup(open: () => Promise<OpenedEvents>) {
  const { events, records } = await open();
  await events.putEndpoint(sampleEmailEndpoint());
  let number = 0;
  return {
    events,
    down: async (changes: Partial<Outage> = {}) => {
      number += 1;
      await records.recordOutage({ ...FCM, beganAtMs: NOW + number, ...changes });
    },
    end: (outage: Partial<Outage>) =>
      records.recordOutage({ ...FCM, endedAtMs: NOW + 1_000, ...outage }),
    alerts: (afterRowId = 0) => events.nextAlerts({ endpointId: 'ep_mail', afterRowId, limit: 9 }),
    /** Records that the digest was delivered. */
    note: (digested?: readonly DigestCount[]) => {
      const progress = { cursor: 0, refused: 0 };
      return events.noteAttempt({ endpointId: 'ep_mail', attempt: TAKEN, progress, digested });
    },
  };
}

export function digestContract(open: () => Promise<OpenedEvents>): void {
  test('counts by type, app and reason, for each e-mail endpoint what it asked for', async () => {
    const { events, down } = await setup(open);
    const other = { id: 'ep_other', app: 'beta', enabledEvents: ['provider.down'] };
    await events.putEndpoint(sampleEmailEndpoint(other));
    await events.putEndpoint(sampleEndpoint());
    await down();
    await down();
    await down({ reason: 'http_503' });
    await down({ app: 'beta', isMisconfigured: true });
    await down({ app: 'beta' });
    const kind = { app: 'default', reason: 'timeout' };
    expect(await events.readDigest('ep_mail')).toEqual([
      { ...kind, type: 'provider.down', count: 2, fromMs: NOW + 1, toMs: NOW + 2 },
      { ...kind, type: 'provider.down', app: 'beta', count: 1, fromMs: NOW + 5, toMs: NOW + 5 },
      {
        ...{ ...kind, type: 'provider.down', reason: 'http_503' },
        ...{ count: 1, fromMs: NOW + 3, toMs: NOW + 3 },
      },
      {
        ...{ ...kind, type: 'provider.misconfigured', app: 'beta' },
        ...{ count: 1, fromMs: NOW + 4, toMs: NOW + 4 },
      },
    ]);
    expect(await events.readDigest('ep_other')).toMatchObject([{ app: 'beta', count: 1 }]);
    expect(await events.readDigest('ep_a')).toEqual([]);
  });

  test('subtracts what was mailed, and keeps what came meanwhile', async () => {
    const { events, down, note } = await setup(open);
    await down();
    await down({ reason: 'http_503' });
    const digest = await events.readDigest('ep_mail');
    await down();
    await note(digest);
    expect(await events.readDigest('ep_mail')).toMatchObject([
      { reason: 'timeout', count: 1, toMs: NOW + 3 },
    ]);
    await note(digest);
    expect(await events.readDigest('ep_mail')).toEqual([]);
  });

  test('continues to count while an endpoint is disabled, and forgets with the endpoint', async () => {
    const { events, down } = await setup(open);
    await events.putEndpoint(sampleEmailEndpoint({ status: 'disabled' }));
    await down();
    expect(await events.readDigest('ep_mail')).toMatchObject([{ count: 1 }]);
    await events.deleteEndpoint('ep_mail');
    await events.putEndpoint(sampleEmailEndpoint());
    expect(await events.readDigest('ep_mail')).toEqual([]);
  });

  test('returns with an alert when the same trouble was last mailed, and whether it is over', async () => {
    const { events, down, end, alerts } = await setup(open);
    await down();
    await down({ provider: 'apns' });
    await end({ beganAtMs: NOW + 1 });
    await down();
    const [first] = await alerts();
    const attempt: EndpointAttempt = {
      ...TAKEN,
      eventId: first?.event.id ?? '',
      type: 'provider.down',
      atMs: NOW + 500,
    };
    await events.noteAttempt({ endpointId: 'ep_mail', attempt });
    await events.noteAttempt({ endpointId: 'ep_else', attempt: { ...attempt, atMs: NOW + 900 } });
    const failed = { ...attempt, outcome: 'failed', atMs: NOW + 800 } as const;
    await events.noteAttempt({ endpointId: 'ep_mail', attempt: failed });
    const known = (await alerts()).map(({ event: { provider }, toldAtMs, endedAtMs }) => {
      return { provider, toldAtMs, endedAtMs };
    });
    expect(known).toEqual([
      { provider: 'fcm', toldAtMs: NOW + 500, endedAtMs: NOW + 1_000 },
      { provider: 'apns', toldAtMs: undefined, endedAtMs: undefined },
      { provider: 'fcm', toldAtMs: NOW + 500, endedAtMs: undefined },
    ]);
  });

  test('finds only alerts, in their order, including those that the endpoint’s cursor has passed', async () => {
    const { events, down, end, alerts } = await setup(open);
    await down();
    await end({ beganAtMs: NOW + 1 });
    await down({ provider: 'apns', isMisconfigured: true });
    const found = async (afterRowId?: number) =>
      (await alerts(afterRowId)).map(({ event: { rowId, type } }) => [rowId, type]);
    const [first, second] = [
      [1, 'provider.down'],
      [3, 'provider.misconfigured'],
    ];
    expect(await found()).toEqual([first, second]);
    const progress = { cursor: 3, refused: 0 };
    await events.noteAttempt({ endpointId: 'ep_mail', attempt: TAKEN, progress });
    // As for an alert that was held back for an hour.
    expect([await found(0), await found(1), await found(3)]).toEqual([
      [first, second],
      [second],
      [],
    ]);
  });

  test('counts reasons beyond 200 of an endpoint together', async () => {
    const { events, down } = await setup(open);
    for (let number = 1; number <= 205; number += 1) await down({ reason: `http_${number}` });
    await down({ reason: 'http_7' });
    const counts = (await events.readDigest('ep_mail')) ?? [];
    expect(counts).toHaveLength(201);
    const others = counts.filter(({ count }) => count > 1);
    expect(others.map(({ reason, count }) => [reason, count])).toEqual([
      ['other', 5],
      ['http_7', 2],
    ]);
  });

  test('counts no event as dropped for an endpoint whose digest has it', async () => {
    const { events, down } = await setup(open);
    await down();
    expect(await events.pruneEvents({ beforeMs: NOW + 9, limit: 9 })).toBe(1);
    const next = await events.nextEvents({ endpointId: 'ep_mail', afterRowId: 0, limit: 9 });
    expect(next).toEqual({ events: [], dropped: undefined });
    expect(await events.readDigest('ep_mail')).toMatchObject([{ count: 1 }]);
  });
}
