// What every adapter of the port to events must do: an event is written with its fact and never without one, and what falls
// out of the table is counted.

import { expect, test } from 'vitest';
import { sampleEndpoint } from '../support/endpoints.ts';
import { end, eventsOf, HASH, type OpenedEvents, sha256 } from './event-samples.ts';
import { accept, NOW, quarantineEntry, sampleDelivery, settlement } from './store-samples.ts';

export function eventStoreContract(open: () => Promise<OpenedEvents>): void {
  test('writes no event while nobody asked for one', async () => {
    const opened = await open();
    await end(opened, 1, 'expired');
    await opened.events.putEndpoint(sampleEndpoint({ enabledEvents: ['provider.*'] }));
    await end(opened, 2, 'expired');
    await opened.events.putEndpoint(sampleEndpoint({ app: 'other' }));
    await end(opened, 3, 'expired');
    expect(await eventsOf(opened)).toEqual([]);
  });

  test('writes the end of a delivery with the hashes that the vendor can compute', async () => {
    const opened = await open();
    await opened.events.putEndpoint(sampleEndpoint({ enabledEvents: ['delivery.*'] }));
    await end(opened, 1, 'delivered');
    await end(opened, 2, 'misconfigured');

    expect(await eventsOf(opened)).toEqual([
      {
        rowId: 1,
        id: expect.stringMatching(/^evt_[0-9a-f-]{36}$/),
        atMs: NOW + 100,
        type: 'delivery.rejected',
        app: 'default',
        provider: 'fcm',
        deliveryId: sampleDelivery(2).id,
        notificationType: 'payment_received',
        reason: 'timeout',
        tokenSha256: sha256('fcm-token-2:APA91bH'),
        subjectSha256: sha256(HASH.toLowerCase()),
      },
    ]);
  });

  test('writes an event once, when the fact is recorded, and none for a fact that was not recorded', async () => {
    const opened = await open();
    await opened.events.putEndpoint(sampleEndpoint({ enabledEvents: ['delivery.delivered'] }));
    await end(opened, 1, 'delivered');
    expect(await opened.store.settle(settlement(sampleDelivery(1)))).toBe(false);
    expect(await eventsOf(opened)).toHaveLength(1);
  });

  test('writes an event for each outage, and for a quarantine whose delivery is named', async () => {
    const opened = await open();
    await opened.events.putEndpoint(sampleEndpoint());
    const { tokenSha256 } = { tokenSha256: sha256('a token') };
    await opened.store.quarantine(quarantineEntry('held'));
    await opened.store.quarantine(quarantineEntry('a'), {
      atMs: NOW,
      deliveryId: sampleDelivery(1).id,
      tokenSha256,
    });
    const outage = { app: 'default', provider: 'fcm', reason: 'timeout', beganAtMs: NOW } as const;
    await opened.records.recordOutage(outage);
    await opened.records.recordOutage({ ...outage, endedAtMs: NOW + 5_000 });
    await opened.records.recordOutage({ ...outage, beganAtMs: NOW + 6_000, isMisconfigured: true });

    const found = await eventsOf(opened);
    expect(found.map(({ type, atMs }) => [type, atMs - NOW])).toEqual([
      ['device.quarantined', 0],
      ['provider.down', 0],
      ['provider.up', 5_000],
      ['provider.misconfigured', 6_000],
    ]);
    expect(found[0]).toMatchObject({ tokenSha256, reason: quarantineEntry('a').reason });
  });

  test('counts what falls out of the table for each endpoint that lacks it', async () => {
    const opened = await open();
    await opened.events.putEndpoint(sampleEndpoint({ enabledEvents: ['delivery.*'] }));
    await opened.events.putEndpoint(sampleEndpoint({ id: 'ep_b', enabledEvents: ['provider.*'] }));
    for (const number of [1, 2, 3]) await end(opened, number, 'expired');
    const [first] = await eventsOf(opened);
    const attempt = { type: 'delivery.expired', atMs: NOW, latencyMs: 1 } as const;
    await opened.events.noteAttempt({
      endpointId: 'ep_a',
      attempt: { ...attempt, eventId: first?.id ?? '', outcome: 'delivered', status: 200 },
      progress: { cursor: 1, refused: 0 },
    });

    expect(await opened.events.pruneEvents({ beforeMs: NOW + 101, limit: 2 })).toBe(2);
    expect(await opened.events.pruneEvents({ beforeMs: NOW + 100, limit: 2 })).toBe(0);
    const query = { afterRowId: 1, limit: 10 };
    const next = await opened.events.nextEvents({ endpointId: 'ep_a', ...query });
    expect(next.dropped).toEqual({ count: 1, fromMs: NOW + 100, toMs: NOW + 100 });
    expect(next.events).toHaveLength(1);
    expect(
      (await opened.events.nextEvents({ endpointId: 'ep_b', ...query })).dropped,
    ).toBeUndefined();
  });

  test('does not count an event that arrives while it is deleted', async () => {
    const opened = await open();
    await opened.events.putEndpoint(sampleEndpoint({ enabledEvents: ['delivery.*'] }));
    await end(opened, 1, 'expired');
    const [event] = await eventsOf(opened);
    await opened.events.pruneEvents({ beforeMs: NOW + 200, limit: 10 });
    await opened.events.noteAttempt({
      endpointId: 'ep_a',
      attempt: {
        eventId: event?.id ?? '',
        type: 'delivery.expired',
        atMs: NOW,
        latencyMs: 1,
        outcome: 'delivered',
      },
      progress: { cursor: 1, refused: 0 },
    });
    const next = await opened.events.nextEvents({ endpointId: 'ep_a', afterRowId: 1, limit: 10 });
    expect(next.dropped).toBeUndefined();
  });

  test('forgets whom an event was about, and keeps the event’s place', async () => {
    const opened = await open();
    await opened.events.putEndpoint(sampleEndpoint({ enabledEvents: ['delivery.*'] }));
    await end(opened, 1, 'expired');
    const { tokenHash } = sampleDelivery(1);
    await opened.operating.forget({ userHashes: [], tokenHashes: [tokenHash], wallMs: NOW });
    const [event] = await eventsOf(opened);
    expect(event?.type).toBe('delivery.expired');
    expect(event?.tokenSha256).toBeUndefined();
    expect(event?.subjectSha256).toBeUndefined();
  });

  test('a new endpoint begins behind what was recorded before, also after all of it was deleted', async () => {
    const opened = await open();
    await opened.events.putEndpoint(sampleEndpoint({ enabledEvents: ['delivery.*'] }));
    await end(opened, 1, 'expired');
    await opened.events.pruneEvents({ beforeMs: NOW + 200, limit: 10 });
    const { progress } = await opened.events.putEndpoint(sampleEndpoint({ id: 'ep_b' }));
    expect(progress.cursor).toBe(1);
    await end(opened, 2, 'expired');
    expect((await eventsOf(opened, progress.cursor)).map(({ rowId }) => rowId)).toEqual([2]);
  });

  test('writes an event for ends without an attempt: overdue, or proven by the phone', async () => {
    const opened = await open();
    const { store, receipts, events } = opened;
    await events.putEndpoint(
      sampleEndpoint({ enabledEvents: ['*', 'delivery.delivered', 'delivery.woke'] }),
    );
    const [overdue, proven] = [sampleDelivery(1), sampleDelivery(2)];
    for (const delivery of [overdue, proven])
      await store.insert(accept(delivery, { leaseUntilMs: NOW }));
    const receipt = { stage: 'started', n: 1 } as const;
    await receipts.recordReceipt({ deliveryId: proven.id, receipt, atMs: NOW + 5, endsOpen: true });
    await store.expireOverdue({ nowMs: NOW + 60_001, wallMs: NOW + 60_001, limit: 10 });
    expect(
      (await eventsOf(opened)).map(({ type, deliveryId, reason }) => [type, deliveryId, reason]),
    ).toEqual([
      ['delivery.delivered', proven.id, 'receipt'],
      ['delivery.woke', proven.id, undefined],
      ['delivery.expired', overdue.id, undefined],
    ]);
  });

  test('writes no event for deliveries of a phone that was forgotten', async () => {
    const opened = await open();
    const { store, operating, events } = opened;
    await events.putEndpoint(sampleEndpoint());
    const { id, tokenHash } = sampleDelivery(1);
    await store.insert(accept(sampleDelivery(1)));
    await operating.forget({ userHashes: [], tokenHashes: [tokenHash], wallMs: NOW });
    expect(await store.findDeliveries({ id, limit: 1 })).toMatchObject([{ status: 'rejected' }]);
    expect(await eventsOf(opened)).toEqual([]);
  });

  test('tells the other endpoints that an endpoint was disabled, and keeps its last hundred attempts', async () => {
    const opened = await open();
    const { events } = opened;
    await events.putEndpoint(sampleEndpoint());
    await events.putEndpoint(sampleEndpoint({ id: 'ep_b' }));
    const attempt = { type: 'test.ping', atMs: NOW, latencyMs: 7, outcome: 'failed' } as const;
    for (let number = 1; number <= 102; number += 1) {
      const note = {
        endpointId: 'ep_b',
        attempt: { ...attempt, eventId: `evt_${number}`, status: 500 },
      };
      await events.noteAttempt(note);
    }
    const gone = { ...attempt, eventId: 'evt_last', reason: 'timeout' };
    await events.noteAttempt({ endpointId: 'ep_b', attempt: gone, disabledReason: 'gone' });
    const attempts = await events.listAttempts({ endpointId: 'ep_b', limit: 1_000 });
    expect(attempts.map(({ eventId }) => eventId).slice(0, 2)).toEqual(['evt_last', 'evt_102']);
    expect(attempts).toHaveLength(100);
    expect(attempts[0]).toEqual({ ...gone, status: undefined });
    const disabled = (await events.listEndpoints()).map(({ endpoint }) => [
      endpoint.id,
      endpoint.disabledReason,
    ]);
    expect(disabled).toEqual([
      ['ep_a', undefined],
      ['ep_b', 'gone'],
    ]);
    expect(await eventsOf(opened)).toMatchObject([
      { type: 'endpoint.disabled', endpointId: 'ep_b', reason: 'gone' },
    ]);
  });

  test('goes back to the first event since a time, and never forward', async () => {
    const opened = await open();
    const { events } = opened;
    await events.putEndpoint(sampleEndpoint());
    for (const number of [1, 2, 3]) await end(opened, number, 'expired');
    const attempt = {
      eventId: 'evt',
      type: 'delivery.expired',
      atMs: NOW,
      latencyMs: 1,
      outcome: 'failed',
    } as const;
    const progress = { cursor: 2, refused: 2, failingSinceMs: NOW };
    await events.noteAttempt({ endpointId: 'ep_a', attempt, progress });
    expect((await events.listEndpoints())[0]?.progress).toEqual(progress);
    const later = await events.rewind({ endpointId: 'ep_a', sinceMs: NOW + 101 });
    expect(later).toEqual({ cursor: 2, refused: 0, failingSinceMs: undefined });
    expect(await events.rewind({ endpointId: 'ep_a', sinceMs: NOW })).toMatchObject({ cursor: 0 });
  });

  test('replaces an endpoint where it is, and starts its failure again when its status changes', async () => {
    const { events } = await open();
    await events.putEndpoint(sampleEndpoint());
    const attempt = {
      eventId: 'evt',
      type: 'test.ping',
      atMs: NOW,
      latencyMs: 1,
      outcome: 'failed',
    } as const;
    await events.noteAttempt({
      ...{ endpointId: 'ep_a', attempt },
      progress: { cursor: 0, refused: 1, failingSinceMs: NOW },
    });
    const same = await events.putEndpoint(sampleEndpoint({ url: 'https://other.example/' }));
    expect(same).toMatchObject({
      endpoint: { url: 'https://other.example/' },
      progress: { failingSinceMs: NOW },
    });
    const changed = await events.putEndpoint(
      sampleEndpoint({ status: 'disabled', disabledReason: 'by_operator' }),
    );
    expect(changed.progress.failingSinceMs).toBeUndefined();
    expect(await events.deleteEndpoint('ep_a')).toBe(true);
    expect(await events.deleteEndpoint('ep_a')).toBe(false);
    expect(await events.listAttempts({ endpointId: 'ep_a', limit: 9 })).toEqual([]);
  });

  test('an endpoint that is replaced is at least where its sender passed, and never goes back', async () => {
    const opened = await open();
    const { events } = opened;
    await events.putEndpoint(sampleEndpoint({ enabledEvents: ['delivery.*'] }));
    for (const number of [1, 2, 3]) await end(opened, number, 'expired');
    const put = async (cursor?: number) =>
      (await events.putEndpoint(sampleEndpoint(), cursor)).progress.cursor;
    expect([await put(), await put(2), await put(1)]).toEqual([0, 2, 2]);
  });

  test('finds an event by its id', async () => {
    const opened = await open();
    await opened.events.putEndpoint(sampleEndpoint());
    await end(opened, 1, 'expired');
    const [event] = await eventsOf(opened);
    expect(await opened.events.findEvent(event?.id ?? '')).toEqual(event);
    expect(await opened.events.findEvent('evt_unknown')).toBeUndefined();
  });
}
