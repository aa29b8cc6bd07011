// What every adapter of the port to receipts must do: what it stores with a delivery, and, in a part of its own, what
// it stores about a phone.

import { expect, test } from 'vitest';
import type { Receipt } from '../../src/core/receipts/receipt.ts';
import { phoneHistoryContract } from './phone-history-contract.ts';
import {
  answer,
  deliver,
  type OpenedReceipts,
  PHONE,
  STARTED,
  TOKEN_SHA256,
} from './receipt-samples.ts';
import { accept, NOW, sampleDelivery, settlement } from './store-samples.ts';

export function receiptStoreContract(open: () => Promise<OpenedReceipts>): void {
  test('shows the receipts of a delivery in their order, with all their fields', async () => {
    const opened = await open();
    const { id } = await deliver(opened, 1);
    const failed: Receipt = {
      ...{ stage: 'failed', n: 2, sinceArrivalMs: 1_900, why: 'quota', isShown: false },
      ...{ priority: 'normal', originalPriority: 'high' },
    } as const;
    const first = await answer(opened, id, NOW + 1_900);
    expect(first).toMatchObject({ isFirst: true, isKept: true, hasEnded: false });
    expect(first).toMatchObject({ sincePushMs: 1_900, app: 'default', tokenHash: PHONE });
    await answer(opened, id, NOW + 2_500, failed);
    const wake = await opened.receipts.findWake(id);
    expect(wake).toMatchObject({ isAsked: true, acceptedAtMs: NOW, recent: '' });
    expect(wake?.receipts).toEqual([
      expect.objectContaining({ ...STARTED, atMs: NOW + 1_900 }),
      { ...failed, atMs: NOW + 2_500 },
    ]);
  });

  test('keeps a repeated stage once, eight receipts at most, and nothing of unknown deliveries', async () => {
    const opened = await open();
    const { id } = await deliver(opened, 1);
    for (const stage of ['started', 'connected', 'done', 'failed'] as const) {
      for (const n of [1, 2] as const) await answer(opened, id, NOW + 10, { stage, n });
    }
    const repeat = await answer(opened, id, NOW + 20);
    expect(repeat).toMatchObject({ isKept: false, isFirst: false });
    expect((await opened.receipts.findWake(id))?.receipts).toHaveLength(8);
    const unknown = sampleDelivery(99).id;
    expect(await answer(opened, unknown, NOW)).toBeUndefined();
    expect(await opened.receipts.findWake(unknown)).toBeUndefined();
    const push = {
      ...{ deliveryId: unknown, atMs: NOW, isAsked: true, isJudged: true },
      tokenSha256: TOKEN_SHA256,
    };
    expect(await opened.receipts.recordPush(push)).toBeUndefined();
  });

  test('a receipt ends an open delivery as delivered, and changes no other end', async () => {
    const opened = await open();
    const { store } = opened;
    const delivery = sampleDelivery(1);
    await store.insert(accept(delivery));
    expect(await answer(opened, delivery.id, NOW + 5)).toMatchObject({ hasEnded: true });
    const [row] = await store.findDeliveries({ id: delivery.id, limit: 1 });
    expect(row).toMatchObject({ status: 'delivered', reason: 'receipt', settledAtMs: NOW + 5 });
    expect(await store.settle(settlement(delivery))).toBe(false);

    const rejected = sampleDelivery(2);
    await store.insert(accept(rejected));
    await store.settle(settlement(rejected, { status: 'rejected', reason: 'TopicDisallowed' }));
    expect(await answer(opened, rejected.id, NOW + 5)).toMatchObject({ hasEnded: false });
    const [other] = await store.findDeliveries({ id: rejected.id, limit: 1 });
    expect(other).toMatchObject({ status: 'rejected', reason: 'TopicDisallowed' });
  });

  test('returns when a repeat gave the delivery its lifetime', async () => {
    const opened = await open();
    const delivery = sampleDelivery(1, { tokenHash: PHONE });
    await opened.store.insert(accept(delivery));
    const renewal = { deliveryId: delivery.id, dueAtMs: NOW, wallMs: NOW + 40_000 };
    const [usefulUntilMs, expiresAtMs] = [NOW + 92_000, NOW + 100_000];
    expect(await opened.store.renew({ ...renewal, usefulUntilMs, expiresAtMs })).toBe(true);
    await answer(opened, delivery.id, NOW + 60_000);
    expect(await opened.receipts.findWake(delivery.id)).toMatchObject({
      ...{ receivedAtMs: NOW, renewedAtMs: NOW + 40_000, lifetimeMs: 60_000 },
    });
  });

  test('knocks once, not after a receipt, and returns what the knock achieved', async () => {
    const opened = await open();
    const { receipts } = opened;
    const never = await deliver(opened, 1);
    expect(await receipts.recordKnock({ deliveryId: never.id, atMs: NOW })).toBe(false);
    await answer(opened, never.id, NOW + 700);
    expect(await receipts.recordKnock({ deliveryId: never.id, atMs: NOW })).toBe(false);

    const rescued = await deliver(opened, 2, NOW + 60_000);
    const knock = { deliveryId: rescued.id, atMs: NOW + 66_000 };
    expect(await receipts.recordKnock(knock)).toBe(true);
    expect(await receipts.recordKnock(knock)).toBe(false);
    await receipts.recordKnockOutcome({ deliveryId: rescued.id, outcome: 'delivered' });
    const second: Receipt = { stage: 'started', n: 2 };
    expect(await answer(opened, rescued.id, NOW + 68_000, second)).toMatchObject({
      knock: 'rescued',
    });
    expect(await answer(opened, rescued.id, NOW + 69_000)).toMatchObject({ knock: undefined });
    expect(await receipts.findWake(rescued.id)).toMatchObject({
      ...{ knockedAtMs: NOW + 66_000, knockOutcome: 'delivered', knockResult: 'rescued' },
    });

    const useless = await deliver(opened, 3, NOW + 120_000);
    await receipts.recordKnock({ deliveryId: useless.id, atMs: NOW + 126_000 });
    const end = { deliveryId: useless.id, atMs: NOW + 180_000, isHeld: true };
    expect(await receipts.recordUselessKnock(end)).toBe(true);
    expect(await receipts.recordUselessKnock(end)).toBe(false);
    expect(await receipts.findHistory(PHONE)).toMatchObject({
      uselessKnocks: 1,
      knocksAtMs: [NOW + 66_000, NOW + 126_000],
    });
    expect(await answer(opened, useless.id, NOW + 190_000)).toMatchObject({ knock: undefined });
  });

  test('a knock that was not sent does not count, and a receipt before it is for the first push', async () => {
    const opened = await open();
    const { receipts } = opened;
    const woken = await deliver(opened, 1);
    await answer(opened, woken.id, NOW + 700);
    const { id: deliveryId } = await deliver(opened, 2, NOW + 60_000);
    await receipts.recordKnock({ deliveryId, atMs: NOW + 66_000 });
    const [atMs, receipt] = [NOW + 66_001, STARTED];
    const arrived = { deliveryId, receipt, atMs, endsOpen: true, isKnocked: false };
    expect(await receipts.recordReceipt(arrived)).toMatchObject({
      isFirst: true,
      knock: undefined,
    });
    await receipts.recordKnockOutcome({ deliveryId, outcome: 'not_sent' });
    const wake = await receipts.findWake(deliveryId);
    expect([wake?.knockedAtMs, wake?.knockOutcome, wake?.knockResult]).toEqual(
      Array(3).fill(undefined),
    );
    expect(await receipts.findHistory(PHONE)).toMatchObject({ knocksAtMs: [] });
  });

  phoneHistoryContract(open);
}
