// The part of the contract of receipts about a phone: how its pushes, receipts and replies change its history, and when
// it is silent, back or demoted.

import { expect, test } from 'vitest';
import type { Receipt } from '../../src/core/receipts/receipt.ts';
import { answer, deliver, type OpenedReceipts, PHONE, TOKEN_SHA256 } from './receipt-samples.ts';
import { accept, DAY_MS, NOW, sampleDelivery } from './store-samples.ts';

export function phoneHistoryContract(open: () => Promise<OpenedReceipts>): void {
  test('a phone whose receipt came before the provider’s answer counts as woken', async () => {
    const opened = await open();
    const delivery = sampleDelivery(1, { tokenHash: PHONE });
    await opened.store.insert(accept(delivery));
    await answer(opened, delivery.id, NOW + 5);
    const push = {
      ...{ deliveryId: delivery.id, atMs: NOW + 20, isAsked: true, isJudged: true },
      tokenSha256: TOKEN_SHA256,
    };
    expect(await opened.receipts.recordPush(push)).toMatchObject({ isAnswered: true });
    expect(await opened.receipts.findHistory(PHONE)).toMatchObject({ recent: '1', unanswered: 0 });
  });

  test('no receipt is expected for a push without room for the address', async () => {
    const opened = await open();
    const delivery = sampleDelivery(1, { tokenHash: PHONE });
    await opened.store.insert(accept(delivery));
    const push = {
      ...{ deliveryId: delivery.id, atMs: NOW, isAsked: false, isJudged: true },
      tokenSha256: TOKEN_SHA256,
    };
    expect(await opened.receipts.recordPush(push)).toBeUndefined();
    expect(await opened.receipts.findWake(delivery.id)).toMatchObject({ isAsked: false });
    expect(await opened.receipts.findHistory(PHONE)).toBeUndefined();
  });

  test('returns what the phone did before this push, and counts a push once', async () => {
    const opened = await open();
    const first = await deliver(opened, 1);
    await answer(opened, first.id, NOW + 700);
    const second = await deliver(opened, 2, NOW + 60_000);
    expect(second.recorded).toMatchObject({ isAnswered: false, isKnocked: false });
    expect(second.recorded?.history).toMatchObject({ recent: '1', wakesMs: [700], pushes: 1 });
    const again = {
      ...{ deliveryId: second.id, atMs: NOW + 61_000, isAsked: true, isJudged: true },
      tokenSha256: TOKEN_SHA256,
    };
    await opened.receipts.recordPush(again);
    expect(await opened.receipts.findHistory(PHONE)).toMatchObject({ pushes: 2, recent: '10' });
    expect(await opened.receipts.findWake(second.id)).toMatchObject({ recent: '1' });
  });

  test('a phone is silent after five pushes over a day, reported once, and its next receipt is its return', async () => {
    const opened = await open();
    const { receipts } = opened;
    const woken = await deliver(opened, 1);
    await answer(opened, woken.id, NOW + 700);
    for (const number of [2, 3, 4, 5]) await deliver(opened, number, NOW + number * 3_600_000);
    const sweep = (atMs: number) => receipts.noteSilent({ atMs, forgetBeforeMs: 0, limit: 10 });
    const lastMs = NOW + 2 * 3_600_000 + DAY_MS;
    expect(await sweep(lastMs)).toEqual([]);
    const last = await deliver(opened, 6, lastMs);
    expect(await sweep(lastMs + 59_000)).toEqual([]);
    expect(await sweep(lastMs + 60_000)).toEqual([
      {
        ...{ tokenHash: PHONE, app: 'default', platform: 'android' },
        unanswered: 5,
        lastWakeAtMs: NOW + 700,
      },
    ]);
    expect(await sweep(lastMs + 61_000)).toEqual([]);
    expect(await answer(opened, last.id, lastMs + 62_000)).toMatchObject({ hasReturned: true });
    expect(await answer(opened, last.id, lastMs + 63_000, { stage: 'done', n: 1 })).toMatchObject({
      hasReturned: false,
    });
  });

  test('a phone that missed more than five pushes within less than a day is not silent', async () => {
    const opened = await open();
    const { receipts } = opened;
    await answer(opened, (await deliver(opened, 1)).id, NOW + 700);
    const firstMs = NOW + 3_600_000;
    for (const number of [2, 3, 4, 5]) await deliver(opened, number, firstMs + number - 2);
    const sweep = (atMs: number) => receipts.noteSilent({ atMs, forgetBeforeMs: 0, limit: 10 });
    await deliver(opened, 6, firstMs + DAY_MS - 1);
    expect(await sweep(firstMs + DAY_MS + 120_000)).toEqual([]);
    await deliver(opened, 7, firstMs + DAY_MS);
    expect(await sweep(firstMs + DAY_MS + 120_000)).toMatchObject([{ unanswered: 6 }]);
  });

  test('a phone that never sent a receipt is never silent, and old histories are forgotten', async () => {
    const opened = await open();
    const { receipts } = opened;
    for (const number of [1, 2, 3, 4, 5, 6]) await deliver(opened, number, NOW + number * DAY_MS);
    const atMs = NOW + 8 * DAY_MS;
    expect(await receipts.noteSilent({ atMs, forgetBeforeMs: 0, limit: 10 })).toEqual([]);
    await receipts.noteSilent({ atMs, forgetBeforeMs: atMs, limit: 10 });
    expect(await receipts.findHistory(PHONE)).toBeUndefined();
  });

  test('a reply answers the push, and does not make a phone one that sends receipts', async () => {
    const opened = await open();
    const { store, receipts } = opened;
    const first = await deliver(opened, 1);
    const [app, platform] = ['default', 'android'];
    const reply = { deliveryId: first.id, atMs: NOW + 900 };
    expect(await receipts.recordReplied(reply)).toEqual({
      ...{ app, platform, tokenHash: PHONE, hasReturned: false },
    });
    await store.recordReply({ deliveryId: first.id, answeredAtMs: NOW + 900 });
    expect(await receipts.findWake(first.id)).toMatchObject({ answeredAtMs: NOW + 900 });
    expect(await receipts.findHistory(PHONE)).toMatchObject({ recent: '1', unanswered: 0 });
    const second = await deliver(opened, 2, NOW + 60_000);
    expect(await receipts.findWake(second.id)).toMatchObject({ isSender: false });
    const unknown = { deliveryId: sampleDelivery(99).id, atMs: NOW };
    expect(await receipts.recordReplied(unknown)).toBeUndefined();
  });

  test('a push that is not judged changes no history, but its receipt counts', async () => {
    const opened = await open();
    const { store, receipts } = opened;
    const woken = await deliver(opened, 1);
    await answer(opened, woken.id, NOW + 700);
    const delivery = sampleDelivery(2, { tokenHash: PHONE });
    await store.insert(accept(delivery));
    const push = {
      ...{ deliveryId: delivery.id, atMs: NOW + 60_000, isAsked: true, isJudged: false },
      tokenSha256: TOKEN_SHA256,
    };
    await receipts.recordPush(push);
    expect(await receipts.findHistory(PHONE)).toMatchObject({
      ...{ pushes: 1, recent: '1', unanswered: 0, lastPushAtMs: NOW + 60_000 },
    });
    await answer(opened, delivery.id, NOW + 61_000);
    expect(await receipts.findHistory(PHONE)).toMatchObject({ recent: '1', wakesMs: [700, 1_000] });
  });

  test('reports a demotion once a week', async () => {
    const opened = await open();
    const { id } = await deliver(opened, 1);
    const demoted = { n: 1, priority: 'normal', originalPriority: 'high' } as const;
    const told = async (stage: Receipt['stage'], atMs: number) =>
      (await answer(opened, id, atMs, { stage, ...demoted }))?.isNewlyDemoted;
    expect(await told('started', NOW)).toBe(true);
    expect(await told('connected', NOW + 1_000)).toBe(false);
    expect(await told('done', NOW + 8 * DAY_MS)).toBe(true);
  });
}
