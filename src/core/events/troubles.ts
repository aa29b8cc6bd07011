// Which troubles are mailed to an e-mail endpoint now. The same trouble is mailed at most once an hour: one that
// returns earlier is held, and mailed at the end of the hour if it still lasts.

import type { Clock } from '../ports/clock.ts';
import type { PendingAlert, Trouble, VendorEvent } from '../ports/events.ts';

const ONCE_IN_MS = 3_600_000;
/** In one mail. */
export const MAX_TROUBLES = 20;

interface Notice {
  readonly trouble: Trouble;
  readonly dueAtMs: number;
}

interface Held {
  readonly rowId: number;
  readonly dueAtMs: number;
}

/** All maps have the trouble as key. They are bounded by the number of apps, providers, endpoints and reasons of the store. */
export class Troubles {
  readonly #clock: Clock;
  /** Troubles that are in no table and were not mailed yet. */
  readonly #notices = new Map<string, Notice>();
  readonly #toldAtMs = new Map<string, number>();
  readonly #held = new Map<string, Held>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  add(trouble: Trouble): void {
    const key = keyOf(trouble);
    const toldAtMs = this.#toldAtMs.get(key) ?? Number.NEGATIVE_INFINITY;
    const dueAtMs = Math.max(this.#clock.wallMs(), toldAtMs + ONCE_IN_MS);
    if (!this.#notices.has(key)) this.#notices.set(key, { trouble, dueAtMs });
  }

  /** A trouble that is over before it was due is not mailed. */
  end(type: Trouble['type']): void {
    const nowMs = this.#clock.wallMs();
    for (const [key, { trouble, dueAtMs }] of this.#notices) {
      if (trouble.type === type && dueAtMs > nowMs) this.#notices.delete(key);
    }
  }

  due(): readonly Trouble[] {
    const nowMs = this.#clock.wallMs();
    const due = [...this.#notices.values()].filter(({ dueAtMs }) => dueAtMs <= nowMs);
    return due.map(({ trouble }) => trouble).slice(0, MAX_TROUBLES);
  }

  /** The alerts to mail now; for the same trouble only the last one. */
  newOf(pending: readonly PendingAlert[]): readonly PendingAlert[] {
    const alerts = new Map<string, PendingAlert>();
    for (const alert of pending) {
      const { event, toldAtMs = Number.NEGATIVE_INFINITY, endedAtMs } = alert;
      const key = keyOf(event);
      // Mailed already, with this event or a later one.
      if (toldAtMs >= event.atMs) continue;
      const dueAtMs = toldAtMs + ONCE_IN_MS;
      if (dueAtMs <= event.atMs) alerts.set(key, alert);
      else if (endedAtMs === undefined) this.#held.set(key, { rowId: event.rowId, dueAtMs });
    }
    return [...alerts.values()];
  }

  /** The row of an event that was held for long enough. */
  heldUntilNow(): number | undefined {
    const nowMs = this.#clock.wallMs();
    return [...this.#held.values()].find(({ dueAtMs }) => dueAtMs <= nowMs)?.rowId;
  }

  release(rowId: number): void {
    for (const [key, held] of this.#held) if (held.rowId === rowId) this.#held.delete(key);
  }

  told(troubles: readonly Trouble[]): void {
    for (const trouble of troubles) {
      const key = keyOf(trouble);
      if (this.#notices.delete(key)) this.#toldAtMs.set(key, this.#clock.wallMs());
      this.#held.delete(key);
    }
  }
}

export function troubleOf(event: VendorEvent, endedAtMs?: number): Trouble {
  const { type, atMs, app, provider, reason, endpointId, deliveryId } = event;
  return { type, atMs, endedAtMs, app, provider, reason, endpointId, deliveryId };
}

/** Another reason is still the same trouble, except for the store, where each reason needs another remedy. */
function keyOf({ type, app, provider, endpointId, reason }: Omit<Trouble, 'atMs'>): string {
  const cause = type === 'mail.store_failed' ? reason : undefined;
  return [type, app, provider, endpointId, cause].join('\n');
}
