// Which notifications were accepted already. Keys live in memory; those whose window outlasts a restart are also in
// the store. A key is released when its delivery ends undelivered, so that a failed first call blocks nothing.

import type { Clock } from '../ports/clock.ts';

/** Who took a key first. */
export interface FirstCall {
  readonly deliveryId: string;
  /** Rejects as the first call was refused, and a repeat with it. Absent once it is known that it was taken. */
  readonly end?: Promise<unknown> | undefined;
  /** The delivery has not ended, as far as this process knows; may change at any time. */
  readonly isOpen: boolean;
}

interface Entry extends FirstCall {
  end: Promise<unknown> | undefined;
  readonly key: string;
  readonly expiresAtMs: number;
  /** While it is open, the key is held whatever its window says. */
  isOpen: boolean;
}

export interface DuplicatesOptions {
  /** Keys kept in memory; beyond, the oldest are forgotten. */
  readonly maxKeys: number;
}

/**
 * How many undelivered ends are remembered: the store gets such an end later, or not while it fails, and must not be
 * trusted before that.
 */
const MAX_FAILED = 20_000;

export class Duplicates {
  readonly #clock: Clock;
  readonly #options: DuplicatesOptions;
  readonly #byKey = new Map<string, Entry>();
  readonly #byDelivery = new Map<string, Entry>();
  readonly #failed = new Set<string>();

  constructor(clock: Clock, options: DuplicatesOptions) {
    this.#clock = clock;
    this.#options = options;
  }

  get size(): number {
    return this.#byKey.size;
  }

  /** The call that holds the key, if its window lasts or its delivery has not ended. */
  find(key: string): FirstCall | undefined {
    const entry = this.#byKey.get(key);
    if (entry === undefined) return undefined;
    if (isHeld(entry, this.#clock.nowMs())) return entry;
    this.#remove(entry);
    return undefined;
  }

  /** Remembers the first call of a key; its window runs from now and is not extended by repeats. */
  hold(
    key: string,
    first: { readonly deliveryId: string; readonly end: Promise<unknown> },
    windowMs: number,
  ): void {
    const expiresAtMs = this.#clock.nowMs() + windowMs;
    const { deliveryId, end } = first;
    const entry: Entry = { deliveryId, end, key, expiresAtMs, isOpen: true };
    // A repeat that is refused for the same reason has its own handler; this one only keeps Node quiet.
    end.catch(() => {});
    // Another machine, or the end of its device, may have ended the delivery that held it.
    const earlier = this.#byKey.get(key);
    if (earlier !== undefined) this.#remove(earlier);
    this.#byKey.set(key, entry);
    this.#byDelivery.set(deliveryId, entry);
    if (this.#byKey.size > this.#options.maxKeys) this.#forgetOldest();
  }

  /** The delivery was accepted, whatever its first caller was answered: a repeat is a duplicate. */
  confirm(deliveryId: string): void {
    const entry = this.#byDelivery.get(deliveryId);
    if (entry !== undefined) entry.end = undefined;
  }

  /** The delivery arrived: its key lasts as long as its window, and no longer. */
  close(deliveryId: string): void {
    const entry = this.#byDelivery.get(deliveryId);
    if (entry !== undefined) entry.isOpen = false;
  }

  /** The delivery ended undelivered: a repeat is a new call. */
  release(deliveryId: string): void {
    const entry = this.#byDelivery.get(deliveryId);
    if (entry !== undefined) this.#remove(entry);
    this.#failed.add(deliveryId);
    if (this.#failed.size <= MAX_FAILED) return;
    const oldest = this.#failed.values().next();
    if (!oldest.done) this.#failed.delete(oldest.value);
  }

  /** Whether this process saw the delivery end undelivered, whatever the store still says about its key. */
  hasFailed(deliveryId: string): boolean {
    return this.#failed.has(deliveryId);
  }

  /** Whether this process saw the delivery arrive, and remembers its key. */
  hasArrived(deliveryId: string): boolean {
    return this.#byDelivery.get(deliveryId)?.isOpen === false;
  }

  /** Drops expired keys; called periodically, so that a service without calls keeps none. */
  sweep(): void {
    const nowMs = this.#clock.nowMs();
    for (const entry of this.#byKey.values()) {
      if (!isHeld(entry, nowMs)) this.#remove(entry);
    }
  }

  #forgetOldest(): void {
    const oldest = this.#byKey.values().next();
    if (!oldest.done) this.#remove(oldest.value);
  }

  #remove(entry: Entry): void {
    if (this.#byKey.get(entry.key) === entry) this.#byKey.delete(entry.key);
    this.#byDelivery.delete(entry.deliveryId);
  }
}

function isHeld({ isOpen, expiresAtMs }: Entry, nowMs: number): boolean {
  return isOpen || expiresAtMs > nowMs;
}
