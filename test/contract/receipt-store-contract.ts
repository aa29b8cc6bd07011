// What every adapter of the port to receipts must do.

import { expect, test } from 'vitest';
import type { ReceiptStore } from '../../src/core/ports/receipts.ts';
import type { Store } from '../../src/core/ports/store.ts';
import type { Receipt } from '../../src/core/receipts/receipt.ts';
import {
  accept,
  DAY_MS,
  NOW,
  sampleDelivery,
  sampleFingerprint,
  settlement,
} from './store-samples.ts';

const TOKEN_SHA256 = 'aa'.repeat(32);

export interface OpenedReceipts {
  readonly store: Store;
  readonly receipts: ReceiptStore;
}

const STARTED: Receipt = { stage: 'started', n: 1 };
const PHONE = sampleFingerprint('one phone');

export function receiptStoreContract(open: () => Promise<OpenedReceipts>): void {
  /** A delivery to one phone that the provider took. */
  async function deliver({ store, receipts }: OpenedReceipts, number: number, atMs = NOW) {
    const delivery = sampleDelivery(number, { tokenHash: PHONE, receivedAtMs: atMs });
    await store.insert(accept(delivery));
    const recorded = await receipts.recordPush({
      deliveryId: delivery.id,
      atMs,
      isAsked: true,
      isJudged: true,
      tokenSha256: TOKEN_SHA256,
    });
    await store.settle(settlement(delivery));
    return { id: delivery.id, recorded };
  }

  const answer = (
    { receipts }: OpenedReceipts,
    deliveryId: string,
    atMs: number,
    receipt: Receipt = STARTED,
  ) => receipts.recordReceipt({ deliveryId, receipt, atMs, endsOpen: true });

  test('shows the receipts of a delivery in their order, with all that they say', async () => {
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

  test('a phone that was quicker than the provider counts as woken', async () => {
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

  test('tells when a repeat gave the delivery its lifetime', async () => {
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

  test('a push without room for the address expects nothing', async () => {
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

  test('tells what the phone did before this push, and counts a push once', async () => {
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

  test('knocks once, not after a receipt, and says what it was good for', async () => {
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

  test('a phone is silent after five pushes over a day, told once, and its next receipt is its return', async () => {
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

  test('a knock that did not leave is none, and a receipt before it is for the first push', async () => {
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

  test('a push that nobody is judged by changes no history, and its receipt counts all the same', async () => {
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

  test('tells of a demotion once a week', async () => {
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
