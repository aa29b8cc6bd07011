// The port to receipts and wakes of phones in the log. Times are wall time; every operation is one transaction, and
// rejects as those of the `Store` do.

import type { WakeHistory } from '../receipts/history.ts';
import type { Receipt } from '../receipts/receipt.ts';
import type { Platform, ProviderName } from '../target.ts';

export interface ReceiptStore {
  /**
   * The provider took a push that asks for a receipt, or that could not carry the address for one. Undefined if there
   * is no such delivery.
   */
  recordPush(push: AcceptedPush): Promise<PushRecord | undefined>;

  /**
   * Keeps a receipt beside its delivery: the first 8, each stage once for the first push and once for the second
   * knock. `endsOpen`: an open delivery ends as delivered with the reason `receipt`. Nothing if there is no such delivery.
   */
  recordReceipt(arrived: ArrivedReceipt): Promise<RecordedReceipt | undefined>;

  /**
   * A second knock is about to leave. False, and it must not leave, if there was one, a receipt came, or history
   * forbids it.
   */
  recordKnock(knock: { readonly deliveryId: string; readonly atMs: number }): Promise<boolean>;

  /** What became of the second knock at the provider. `NOT_SENT`: it was never sent and does not count as a knock. */
  recordKnockOutcome(end: { readonly deliveryId: string; readonly outcome: string }): Promise<void>;

  /**
   * The phone replied to a question: not a receipt, but the same proof. Undefined if it was not asked for a receipt.
   */
  recordReplied(reply: {
    readonly deliveryId: string;
    readonly atMs: number;
  }): Promise<RepliedPhone | undefined>;

  /** The time of a second knock is over. False if a receipt came. `isHeld`: it counts against further knocks. */
  recordUselessKnock(end: {
    readonly deliveryId: string;
    readonly atMs: number;
    readonly isHeld: boolean;
  }): Promise<boolean>;

  /** Marks and returns phones that used to send receipts and fell silent, and forgets old histories. */
  noteSilent(options: {
    readonly atMs: number;
    readonly forgetBeforeMs: number;
    readonly limit: number;
  }): Promise<readonly SilentPhone[]>;

  /**
   * Forgets up to `limit` pushes whose time was over before `endedBeforeMs` and that no receipt answered, oldest first,
   * and records the vendor's event for those whose time was over at `judgedFromMs` or later. Returns how many it
   * forgot.
   */
  noteMissed(options: {
    readonly atMs: number;
    readonly endedBeforeMs: number;
    readonly judgedFromMs: number;
    readonly limit: number;
  }): Promise<number>;

  findWake(deliveryId: string): Promise<DeliveryWake | undefined>;
  findHistory(tokenHash: string): Promise<WakeHistory | undefined>;
}

/** The outcome of a second knock that was forbidden at the last moment. */
export const NOT_SENT = 'not_sent';

export interface AcceptedPush {
  readonly deliveryId: string;
  readonly atMs: number;
  /** False: the push had no room for the address, or left too late for one. */
  readonly isAsked: boolean;
  /** False while receipts in general do not come: then a missing one is not held against the phone. */
  readonly isJudged: boolean;
  /** By which the vendor finds the user of the phone (`VendorEvent`), even when the log no longer has the token. */
  readonly tokenSha256: string;
  /** For the event if no receipt comes. */
  readonly awaited?: AwaitedReceipt | undefined;
}

/** Until when a receipt is waited for, and the SHA-256 by which the event names the payment. */
export interface AwaitedReceipt {
  readonly untilMs: number;
  readonly subjectSha256?: string | undefined;
}

export interface PushRecord {
  /** Before this push. */
  readonly history: WakeHistory;
  /** The phone was quicker than the provider's answer. */
  readonly isAnswered: boolean;
  /** An earlier process knocked already. */
  readonly isKnocked: boolean;
}

export interface ArrivedReceipt {
  readonly deliveryId: string;
  readonly receipt: Receipt;
  readonly atMs: number;
  readonly endsOpen: boolean;
  /** Whether a second knock had left before it arrived, if this process knows. */
  readonly isKnocked?: boolean | undefined;
}

export interface RepliedPhone {
  readonly app: string;
  readonly platform: Platform;
  readonly tokenHash: string;
  /** The phone had been silent. */
  readonly hasReturned: boolean;
}

export interface RecordedReceipt {
  readonly deliveryId: string;
  readonly app: string;
  readonly platform: Platform;
  readonly provider: ProviderName;
  readonly type: string;
  readonly tokenHash: string;
  readonly deviceId?: string | undefined;
  readonly attempts: number;
  readonly receivedAtMs: number;
  /** False for a repeat, and for a receipt beyond those that are kept. */
  readonly isKept: boolean;
  readonly isFirst: boolean;
  /** It ended the delivery. */
  readonly hasEnded: boolean;
  readonly sincePushMs?: number | undefined;
  /** What the second knock was good for, if this receipt shows it. */
  readonly knock?: 'rescued' | 'late' | undefined;
  /** The phone had been silent. */
  readonly hasReturned: boolean;
  /** It is the first to say that Android demotes the app on this phone, or the first again after a week. */
  readonly isNewlyDemoted: boolean;
}

export interface SilentPhone {
  readonly tokenHash: string;
  readonly app: string;
  readonly platform: Platform;
  readonly lastWakeAtMs: number;
  readonly unanswered: number;
}

/** What the log says about one delivery's wake. */
export interface DeliveryWake {
  /** Of the call, of the last repeat that gave it a new lifetime, and how long that is. */
  readonly receivedAtMs: number;
  readonly renewedAtMs?: number | undefined;
  readonly lifetimeMs: number;
  readonly provider: ProviderName;
  /** False: its push carried no address for a receipt. */
  readonly isAsked: boolean;
  /** When the provider took the push. */
  readonly acceptedAtMs?: number | undefined;
  /** Of the phone's pushes before this one (`WakeHistory.recent`). */
  readonly recent: string;
  /** The phone had ever sent a receipt before. */
  readonly isSender: boolean;
  readonly knockedAtMs?: number | undefined;
  readonly knockOutcome?: string | undefined;
  readonly knockResult?: 'rescued' | 'late' | 'useless' | undefined;
  /** When the phone replied to the question that the push was. */
  readonly answeredAtMs?: number | undefined;
  /** In the order of their arrival. */
  readonly receipts: readonly (Receipt & { readonly atMs: number })[];
}
