// Receipts from phones: the address that a push carries, what a receipt that arrives changes, and which receipt is
// expected once the provider took the push. Does nothing for apps without receipts in their configuration.

import type { Delivery } from '../delivery.ts';
import { subjectSha256, tokenSha256 } from '../events/body.ts';
import { isRace } from '../notification.ts';
import type { PushMessage, ReceiptKey } from '../ports/provider.ts';
import type { AwaitedReceipt, RecordedReceipt } from '../ports/receipts.ts';
import { BY_PHONE } from '../sending/attempts.ts';
import type { Lane } from '../sending/lane.ts';
import { type Target, tokenKey } from '../target.ts';
import { Recent } from '../tokens/recent.ts';
import type { WakeHistory } from './history.ts';
import { Knocks, type KnocksParts } from './knocks.ts';
import { parseReceipt } from './parse-receipt.ts';
import type { Receipt } from './receipt.ts';
import { ReceiptIds } from './receipt-id.ts';

/** Limits writes for a phone that repeats itself: the log keeps 8 receipts and ignores repeats of a stage. */
const MAX_WRITTEN = 16;
const MAX_COUNTED = 20_000;
const FORGET_AFTER_MS = 90 * 86_400_000;
const SWEEP_BATCH = 500;
/** Each may be an event: this many take the store 2 ms. */
const MISSED_BATCH = 100;
/**
 * Wait after a push's lifetime: a receipt may still be under way, and by then the pulse shows whether receipts come at
 * all.
 */
const MISSED_AFTER_MS = 60_000;
/** An event that the store could not give for this long is no longer recorded. */
const MISSED_UNTIL_MS = 3_600_000;

export interface ReceiptsParts extends KnocksParts {
  readonly externalUrl: string | undefined;
  /** The lane of a target; throws if its app was removed. */
  readonly laneOf: (target: Target) => Lane;
  /** A function, because the sender itself asks this class what its pushes carry. */
  readonly sender: () => ProvenSender;
}

/** The part of the sender that a phone's receipt or reply changes. */
export interface ProvenSender {
  messageOf(delivery: Delivery): PushMessage;
  /** True if this process is sending the delivery or writing its end, and will end it. */
  proveByPhone(deliveryId: string): boolean;
  /** The log is asked to end it: until it has answered, nothing may be sent. */
  holdForPhone(deliveryId: string): () => void;
  /** The log ended it. */
  endedByPhone(recorded: RecordedReceipt): void;
}

export class Receipts {
  readonly #parts: ReceiptsParts;
  readonly #ids: ReceiptIds;
  readonly #knocks: Knocks;
  readonly #written = new Recent<number>(MAX_COUNTED);

  constructor(parts: ReceiptsParts) {
    this.#parts = parts;
    this.#ids = new ReceiptIds(parts.ids);
    this.#knocks = new Knocks(parts);
  }

  /** What the push carries; nothing if its app has no receipts, or if they would be too late. */
  keyFor(delivery: Delivery, expiresAtUnixSeconds: number): ReceiptKey | undefined {
    const { rules, externalUrl, clock } = this.#parts;
    if (externalUrl === undefined || !rules.of(delivery.target.app).hasReceipts) return undefined;
    if (!this.#ids.mayAsk(delivery.id, clock.wallMs())) return undefined;
    return { r: `${externalUrl}/r/${this.#ids.of(delivery.id)}`, by: expiresAtUnixSeconds };
  }

  /** A push is about to leave. */
  noteAttempt(delivery: Delivery): void {
    const { hasReceipts } = this.#parts.rules.of(delivery.target.app);
    if (hasReceipts && isRace(delivery.notification.lifetimeMs)) this.#knocks.notePush(delivery);
  }

  /** The provider took the push: in time, late, or as the phone itself says. */
  delivered(delivery: Delivery): void {
    if (!this.#parts.rules.of(delivery.target.app).hasReceipts) return;
    void this.#delivered(delivery);
  }

  /** A receipt arrived at the address of this id. False for an id that is none of ours, or older than an hour. */
  take(receiptId: string, body: Uint8Array): boolean {
    const deliveryId = this.#ids.verify(receiptId, this.#parts.clock.wallMs());
    const receipt = parseReceipt(body);
    if (deliveryId === undefined) return false;
    const isKnocked = this.#knocks.hasKnocked(deliveryId);
    this.#knocks.woke(deliveryId);
    const written = this.#written.get(deliveryId) ?? 0;
    if (written >= MAX_WRITTEN) return true;
    this.#written.use(deliveryId, written + 1);
    void this.#record(deliveryId, receipt, isKnocked);
    return true;
  }

  /** The device replied to a question. */
  replied({ id, tokenHash }: Delivery): void {
    this.#knocks.woke(id);
    this.#knocks.heard(tokenHash);
    void this.#recordReplied(id);
  }

  /** How the phone of this target woke so far; undefined if it was never asked. Rejects as the store does. */
  async historyOf(target: Target): Promise<WakeHistory | undefined> {
    const { ids, store } = this.#parts;
    return await store.findHistory(ids.fingerprint(tokenKey(target)));
  }

  /** Receipts in general fell by half. */
  get isDeaf(): boolean {
    return this.#parts.pulse.hasFallen(this.#parts.clock.nowMs());
  }

  /** Looks for phones that used to send receipts and stopped. Rejects as the store does. */
  async noteSilent(): Promise<void> {
    if (this.isDeaf) return;
    const { clock, store, observer } = this.#parts;
    const atMs = clock.wallMs();
    const forgetBeforeMs = atMs - FORGET_AFTER_MS;
    const silent = await store.noteSilent({ atMs, forgetBeforeMs, limit: SWEEP_BATCH });
    for (const { app, platform, tokenHash, unanswered } of silent) {
      observer.observe({ name: 'device_silent', app, platform, tokenHash, unanswered });
    }
  }

  /** Reports pushes that no receipt answered to the vendor. True if there may be more. Rejects as the store does. */
  async noteMissed(): Promise<boolean> {
    const { clock, rules, store } = this.#parts;
    if (!rules.hasReceipts) return false;
    const atMs = clock.wallMs();
    const endedBeforeMs = atMs - MISSED_AFTER_MS;
    const judged = { endedBeforeMs, judgedFromMs: endedBeforeMs - MISSED_UNTIL_MS };
    // A machine that knows that no receipts come drops them at once, because another machine with too few pushes to
    // know that would report them.
    const times = { atMs, ...(this.isDeaf ? { endedBeforeMs: atMs, judgedFromMs: atMs } : judged) };
    return (await store.noteMissed({ ...times, limit: MISSED_BATCH })) === MISSED_BATCH;
  }

  stop(): void {
    this.#knocks.stop();
  }

  /** Never rejects. */
  async #delivered(delivery: Delivery): Promise<void> {
    const { clock, ledger, store, observer } = this.#parts;
    const { id: deliveryId, target, notification } = delivery;
    try {
      const lane = this.#parts.laneOf(target);
      const message = this.#parts.sender().messageOf(delivery);
      const { receipt } = message;
      const isAsked = receipt !== undefined && lane.provider.prepare(message).lacksReceipt !== true;
      const isWatched = isAsked && isRace(notification.lifetimeMs);
      if (isWatched) this.#knocks.watch(delivery, lane, receipt);
      const atMs = clock.wallMs();
      const isJudged = !this.isDeaf;
      const awaited = isAsked && isJudged ? this.#awaitedOf(delivery, atMs) : undefined;
      const push = { deliveryId, atMs, isAsked, isJudged, awaited };
      const record = () => store.recordPush({ ...push, tokenSha256: tokenSha256(target.token) });
      const recorded = await ledger.beside('record_push', record, deliveryId);
      if (recorded === undefined) return this.#knocks.forget(deliveryId);
      this.#knocks.plan(deliveryId, recorded);
    } catch (cause) {
      this.#knocks.forget(deliveryId);
      observer.observe({ name: 'internal_fault', where: 'receipts', deliveryId, cause });
    }
  }

  #awaitedOf(delivery: Delivery, wallMs: number): AwaitedReceipt {
    const { notification, expiresAtMs } = delivery;
    const { subject } = notification;
    return {
      untilMs: wallMs + Math.max(0, expiresAtMs - this.#parts.clock.nowMs()),
      subjectSha256: subject === undefined ? undefined : subjectSha256(subject),
    };
  }

  /** Never rejects. */
  async #recordReplied(deliveryId: string): Promise<void> {
    const { clock, ledger, store, observer } = this.#parts;
    const record = () => store.recordReplied({ deliveryId, atMs: clock.wallMs() });
    const replied = await ledger.beside('record_replied', record, deliveryId);
    if (replied?.hasReturned !== true) return;
    const { app, platform, tokenHash } = replied;
    observer.observe({ name: 'device_returned', app, platform, tokenHash });
  }

  /** Never rejects. */
  async #record(
    deliveryId: string,
    receipt: Receipt,
    isKnocked: boolean | undefined,
  ): Promise<void> {
    const { clock, ledger, store } = this.#parts;
    const sender = this.#parts.sender();
    const atMs = clock.wallMs();
    const endsOpen = !sender.proveByPhone(deliveryId);
    const release = endsOpen ? sender.holdForPhone(deliveryId) : () => {};
    const record = () => store.recordReceipt({ deliveryId, receipt, atMs, endsOpen, isKnocked });
    const recorded = await ledger.beside('record_receipt', record, deliveryId);
    // A failing store may lose the receipt, but must not forget that the phone needs no further push.
    if (endsOpen && ledger.trouble !== undefined) {
      await ledger.confirm({ deliveryId, ...BY_PHONE, nowMs: clock.nowMs(), wallMs: atMs });
    }
    if (recorded?.hasEnded === true) sender.endedByPhone(recorded);
    release();
    if (recorded === undefined) return;
    this.#knocks.heard(recorded.tokenHash);
    if (recorded.isKept) this.#tell(recorded, receipt);
  }

  #tell(recorded: RecordedReceipt, receipt: Receipt): void {
    const { observer } = this.#parts;
    const { deliveryId, app, platform, type, tokenHash, knock, isFirst, sincePushMs } = recorded;
    const { stage, n, why } = receipt;
    const what = { deliveryId, app, platform, type, stage, n, why, isFirst, sincePushMs };
    observer.observe({ name: 'receipt_taken', ...what });
    if (knock !== undefined) {
      observer.observe({ name: 'knock_judged', deliveryId, app, platform, result: knock });
    }
    if (recorded.hasReturned) {
      observer.observe({ name: 'device_returned', app, platform, tokenHash });
    }
    if (recorded.isNewlyDemoted) {
      observer.observe({ name: 'device_demoted', app, platform, tokenHash });
    }
  }
}
