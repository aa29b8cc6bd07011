// The port to receipts over the store in memory, for tests of the core in virtual time. It passes the same contract suite
// as SQLite (test/contract/receipt-store-contract.ts).

import {
  type AcceptedPush,
  type ArrivedReceipt,
  type DeliveryWake,
  NOT_SENT,
  type ReceiptStore,
  type RecordedReceipt,
  type SilentPhone,
} from '../../src/core/ports/receipts.ts';
import {
  afterKnock,
  afterPush,
  afterReceipt,
  afterReply,
  afterUselessKnock,
  isNewlyDemoted,
  knockRefusal,
  knockResultOf,
  NO_HISTORY,
  SILENT_OVER_MS,
  SILENT_PUSHES,
  STILL_WAKING_MS,
  type WakeHistory,
  withoutKnock,
} from '../../src/core/receipts/history.ts';
import { MAX_RECEIPTS } from '../../src/core/receipts/receipt.ts';
import type { Row } from './memory-rows.ts';
import type { MemoryStore } from './memory-store.ts';

type OfDelivery = 'receivedAtMs' | 'renewedAtMs' | 'lifetimeMs' | 'provider' | 'answeredAtMs';
type Kept = Omit<DeliveryWake, OfDelivery>;
type Wake = { -readonly [Key in keyof Kept]: Kept[Key] } & { number?: number | undefined };
interface Found {
  readonly row: Row;
  readonly wake: Wake | undefined;
  readonly history: WakeHistory;
}

const NO_WAKE: Wake = { isAsked: true, recent: '', isSender: false, receipts: [] };

export class MemoryReceipts implements ReceiptStore {
  readonly #store: MemoryStore;
  readonly #wakes = new Map<string, Wake>();
  readonly #histories = new Map<string, WakeHistory>();

  /** For each push whose missing receipt will be reported: when its time is over. */
  readonly #awaited = new Map<string, number>();
  /** Deliveries whose receipts were reported as missed. */
  readonly missed: string[] = [];

  constructor(store: MemoryStore) {
    this.#store = store;
  }

  async recordPush(accepted: AcceptedPush) {
    const { deliveryId, atMs, isAsked, isJudged, tokenSha256, awaited } = accepted;
    const found = this.#find(deliveryId);
    if (found === undefined) return undefined;
    const { wake, history } = found;
    if (!isAsked) {
      if (wake === undefined) this.#wakes.set(deliveryId, { ...NO_WAKE, isAsked });
      return undefined;
    }
    const isAnswered = (wake?.receipts.length ?? 0) > 0;
    const isKnocked = wake?.knockedAtMs !== undefined;
    if (wake?.acceptedAtMs === undefined) {
      const pushed = afterPush(history, { atMs, tokenSha256, isAnswered, isJudged });
      const { recent, lastWakeAtMs } = history;
      const isSender = lastWakeAtMs !== undefined;
      const number = pushed.pushes === history.pushes ? undefined : pushed.pushes;
      const push = { isAsked, acceptedAtMs: atMs, number, recent, isSender };
      this.#wakes.set(deliveryId, { ...NO_WAKE, ...wake, ...push });
      this.#put(found, pushed);
      const isMissed = isSender && !isAnswered && found.row.answeredAtMs === undefined;
      if (isMissed && awaited !== undefined) this.#awaited.set(deliveryId, awaited.untilMs);
    }
    return { history, isAnswered, isKnocked };
  }

  async recordReceipt(arrived: ArrivedReceipt): Promise<RecordedReceipt | undefined> {
    const { deliveryId, receipt, atMs, endsOpen } = arrived;
    this.#awaited.delete(deliveryId);
    const found = this.#find(deliveryId);
    if (found === undefined) return undefined;
    const end = { deliveryId, attempts: [], reason: 'receipt', nowMs: atMs, wallMs: atMs };
    const hasEnded = endsOpen && (await this.#store.confirm(end));
    const { history, row } = found;
    const wake = found.wake ?? { ...NO_WAKE };
    const { receipts, acceptedAtMs, number } = wake;
    const isRepeat = receipts.some(({ stage, n }) => stage === receipt.stage && n === receipt.n);
    const isKept = receipts.length < MAX_RECEIPTS && !isRepeat;
    const isFirst = receipts.length === 0;
    const isKnocked = arrived.isKnocked ?? wake.knockedAtMs !== undefined;
    const isJudged = isFirst && isKnocked && wake.knockResult === undefined;
    const knock = isJudged ? knockResultOf(receipt) : undefined;
    if (isKept) {
      const push = { number, acceptedAtMs, isFirst, isKnocked };
      wake.receipts = [...receipts, { ...receipt, atMs }];
      wake.knockResult ??= knock;
      this.#wakes.set(deliveryId, wake);
      this.#put(found, afterReceipt(history, receipt, { atMs, push }));
    }
    const { delivery } = row;
    return {
      ...{ deliveryId, isKept, isFirst, hasEnded, knock },
      ...{ app: delivery.target.app, platform: delivery.target.platform },
      ...{ provider: delivery.provider, type: delivery.notification.type },
      ...{ tokenHash: delivery.tokenHash, deviceId: delivery.deviceId },
      ...{ attempts: row.attempts.size, receivedAtMs: delivery.receivedAtMs },
      sincePushMs: acceptedAtMs === undefined ? undefined : Math.max(0, atMs - acceptedAtMs),
      hasReturned: isKept && history.silentSinceMs !== undefined,
      isNewlyDemoted: isKept && isNewlyDemoted(history, receipt, atMs),
    };
  }

  async recordKnock({ deliveryId, atMs }: { readonly deliveryId: string; readonly atMs: number }) {
    const found = this.#find(deliveryId);
    const wake = found?.wake;
    if (found === undefined || wake?.acceptedAtMs === undefined) return false;
    if (wake.knockedAtMs !== undefined || wake.receipts.length > 0) return false;
    if (knockRefusal(found.history, atMs) !== undefined) return false;
    wake.knockedAtMs = atMs;
    this.#put(found, afterKnock(found.history, atMs));
    return true;
  }

  async recordKnockOutcome(end: { readonly deliveryId: string; readonly outcome: string }) {
    const found = this.#find(end.deliveryId);
    const wake = found?.wake;
    if (found === undefined || wake?.knockedAtMs === undefined) return;
    if (end.outcome !== NOT_SENT) {
      wake.knockOutcome = end.outcome;
      return;
    }
    this.#put(found, withoutKnock(found.history, wake.knockedAtMs));
    wake.knockedAtMs = undefined;
  }

  async recordReplied({ deliveryId, atMs }: Parameters<ReceiptStore['recordReplied']>[0]) {
    this.#awaited.delete(deliveryId);
    const found = this.#find(deliveryId);
    if (found?.wake?.acceptedAtMs === undefined) return undefined;
    const { row, wake, history } = found;
    this.#put(found, afterReply(history, { atMs, number: wake.number }));
    const { app, platform } = row.delivery.target;
    const hasReturned = history.silentSinceMs !== undefined;
    return { app, platform, tokenHash: row.delivery.tokenHash, hasReturned };
  }

  async recordUselessKnock(end: Parameters<ReceiptStore['recordUselessKnock']>[0]) {
    const found = this.#find(end.deliveryId);
    const wake = found?.wake;
    if (found === undefined || wake === undefined) return false;
    if (wake.knockResult !== undefined || wake.receipts.length > 0) return false;
    wake.knockResult = 'useless';
    if (end.isHeld) this.#put(found, afterUselessKnock(found.history, end.atMs));
    return true;
  }

  async noteSilent({ atMs, forgetBeforeMs, limit }: Parameters<ReceiptStore['noteSilent']>[0]) {
    const silent: SilentPhone[] = [];
    for (const [tokenHash, history] of this.#histories) {
      const { unanswered, unansweredSinceMs = 0, lastPushAtMs = 0, lastWakeAtMs } = history;
      if (lastPushAtMs < forgetBeforeMs) this.#histories.delete(tokenHash);
      const isSilent =
        unanswered >= SILENT_PUSHES &&
        lastPushAtMs - unansweredSinceMs >= SILENT_OVER_MS &&
        lastPushAtMs <= atMs - STILL_WAKING_MS;
      if (!isSilent || history.silentSinceMs !== undefined || lastWakeAtMs === undefined) continue;
      const row = [...this.#store.rows.values()].find(
        ({ delivery }) => delivery.tokenHash === tokenHash,
      );
      if (row === undefined || silent.length === limit) continue;
      this.#histories.set(tokenHash, { ...history, silentSinceMs: atMs });
      const { app, platform } = row.delivery.target;
      silent.push({ tokenHash, app, platform, lastWakeAtMs, unanswered });
    }
    return silent;
  }

  async noteMissed(options: Parameters<ReceiptStore['noteMissed']>[0]) {
    const { endedBeforeMs, judgedFromMs, limit } = options;
    const over = [...this.#awaited].filter(([, untilMs]) => untilMs < endedBeforeMs);
    for (const [deliveryId, untilMs] of over.slice(0, limit)) {
      this.#awaited.delete(deliveryId);
      if (untilMs >= judgedFromMs) this.missed.push(deliveryId);
    }
    return Math.min(over.length, limit);
  }

  async findWake(deliveryId: string): Promise<DeliveryWake | undefined> {
    const wake = this.#wakes.get(deliveryId);
    const row = this.#store.rows.get(deliveryId);
    if (wake === undefined || row === undefined) return undefined;
    const { number: _, ...kept } = wake;
    const { receivedAtMs, provider, notification } = row.delivery;
    const { lifetimeMs } = notification;
    const { renewedAtMs, answeredAtMs } = row;
    return { receivedAtMs, renewedAtMs, lifetimeMs, provider, answeredAtMs, ...kept };
  }

  async findHistory(tokenHash: string) {
    return this.#histories.get(tokenHash);
  }

  #find(deliveryId: string): Found | undefined {
    const row = this.#store.rows.get(deliveryId);
    if (row === undefined) return undefined;
    const history = this.#histories.get(row.delivery.tokenHash) ?? NO_HISTORY;
    return { row, wake: this.#wakes.get(deliveryId), history };
  }

  #put({ row }: Found, history: WakeHistory): void {
    this.#histories.set(row.delivery.tokenHash, history);
  }
}
