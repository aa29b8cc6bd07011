// A phone as seen from APNs and FCM: a push starts the app after a while, or never. It runs one extension at a time,
// recognises a repeat by its receipt's address, and sends receipts as docs/wallet/receipts.md says.

import { z } from 'zod';
import type { ReceivedPush } from '../records.ts';

const KEPT_ADDRESSES = 50;

const receiptSchema = z.object({ r: z.string(), n: z.literal(2).optional() });

export type ReceiptKey = z.output<typeof receiptSchema>;

/** The receipt key in a push that a stand-in took. */
export function receiptOf({ data }: ReceivedPush): ReceiptKey | undefined {
  const parsed = receiptSchema.safeParse(JSON.parse(data.nds ?? 'null'));
  return parsed.success ? parsed.data : undefined;
}

/** The fields of a receipt besides `stage`, `t` and `n`. */
export type Words = Readonly<Record<string, string | boolean>>;

/** What one push does to the phone. */
export interface Behaviour {
  /** From the push's arrival until the app starts; absent: it never starts. */
  readonly wakeMs?: number | undefined;
  /** From there until the work is done. */
  readonly workMs?: number | undefined;
  /** The work fails with this reason instead of reaching `done`. */
  readonly failsWith?: string | undefined;
  /** No receipt leaves the phone: it has no network, or its app is too old. */
  readonly isMute?: boolean | undefined;
  /** Sends every receipt twice, the first time in reverse order. */
  readonly isConfused?: boolean | undefined;
  /** Sent in every receipt. */
  readonly words?: Words | undefined;
}

export interface PhoneParts {
  readonly nowMs: () => number;
  readonly after: (ms: number, task: () => void) => void;
  /** POSTs a receipt; nothing waits for the answer. */
  readonly post: (address: string, body: object) => void;
}

/** The app ran for a push. */
export interface Run {
  readonly address: string;
  readonly startedAtMs: number;
  /** The push showed something new to the user. */
  readonly isShown: boolean;
  /** It had to wait for the run of another payment's repeat. */
  readonly isHeldUp: boolean;
}

export class Phone {
  readonly #parts: PhoneParts;
  readonly #addresses: string[] = [];
  readonly runs: Run[] = [];
  #busyUntilMs = 0;
  /** The current run is of a repeat, which must not disturb any other. */
  #isRepeating = false;

  constructor(parts: PhoneParts) {
    this.#parts = parts;
  }

  /** The app is connecting or taking a payment. */
  get isWorking(): boolean {
    return this.#parts.nowMs() < this.#busyUntilMs;
  }

  arrive(receipt: ReceiptKey, behaviour: Behaviour): void {
    const { wakeMs } = behaviour;
    if (wakeMs === undefined) return;
    this.#parts.after(wakeMs, () => this.#start(receipt, behaviour));
  }

  #start(receipt: ReceiptKey, behaviour: Behaviour): void {
    const { nowMs, after } = this.#parts;
    const waitMs = this.#busyUntilMs - nowMs();
    const isHeldUp = waitMs > 0 && this.#isRepeating;
    if (waitMs > 0) after(waitMs, () => this.#run(receipt, behaviour, isHeldUp));
    else this.#run(receipt, behaviour, false);
  }

  #run(receipt: ReceiptKey, behaviour: Behaviour, isHeldUp: boolean): void {
    const { r: address } = receipt;
    const startedAtMs = this.#parts.nowMs();
    const isRepeat = this.#addresses.includes(address);
    this.runs.push({ address, startedAtMs, isShown: !isRepeat, isHeldUp });
    this.#isRepeating = isRepeat;
    if (!isRepeat) {
      this.#addresses.push(address);
      if (this.#addresses.length > KEPT_ADDRESSES) this.#addresses.shift();
    }
    // A repeat shows the same notification again, and ends at once.
    const workMs = isRepeat ? 0 : (behaviour.workMs ?? 0);
    this.#busyUntilMs = startedAtMs + workMs;
    if (behaviour.isMute !== true) this.#tell(receipt, behaviour, workMs);
  }

  #tell(receipt: ReceiptKey, behaviour: Behaviour, workMs: number): void {
    const { failsWith, isConfused = false } = behaviour;
    const end = failsWith === undefined ? { stage: 'done' } : { stage: 'failed', why: failsWith };
    const connected = { stage: 'connected', atMs: Math.round(workMs / 2) };
    const steps = [
      { stage: 'started', atMs: 0 },
      ...(failsWith === undefined && workMs > 0 ? [connected] : []),
      ...(workMs > 0 || failsWith !== undefined ? [{ ...end, atMs: workMs }] : []),
    ];
    const { after, post } = this.#parts;
    const send = ({ atMs, ...said }: (typeof steps)[number]) =>
      post(receipt.r, { t: atMs, n: receipt.n ?? 1, ...said, ...behaviour.words });
    if (isConfused) {
      const all = [...steps.toReversed(), ...steps];
      after(workMs, () => all.forEach(send));
      return;
    }
    for (const step of steps) {
      if (step.atMs === 0) send(step);
      else after(step.atMs, () => send(step));
    }
  }
}
