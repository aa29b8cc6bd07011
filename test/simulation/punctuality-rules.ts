// Rules about punctuality: what is due goes out within seconds if nothing is wrong, including what a dead machine or an
// earlier life left. Each rule names what excuses a delay: an outage, a flood, a hold, a disk that failed.

import { type ProviderName, providerFor } from '../../src/core/target.ts';
import { tokenHashOf } from './ids.ts';
import type { AttemptRecord, DeliveryRecord } from './journal.ts';
import type { Life } from './life.ts';
import type { RulesParts } from './rules.ts';
import { hadDiskTrouble, wasCalm } from './weather.ts';

/** For a claim, a commit and a place in flight; after an outage every delivery wants one at once. */
const LATE_MS = 4_000;
const TAKE_UP_MS = 5_000;
/** After this time the others know that a machine is dead, and its deliveries are free. */
const TAKE_OVER_MS = 8_000;
const FLOOD_AFTERMATH_MS = 30_000;

export class PunctualityRules {
  readonly #parts: RulesParts;

  constructor(parts: RulesParts) {
    this.#parts = parts;
  }

  /** Called when a try begins. */
  started({ delivery, life, provider }: AttemptRecord): void {
    const { due } = delivery;
    if (due === undefined || due.life !== life) return;
    this.#mustNotWait(delivery, { provider, life, dueAtMs: due.atMs });
  }

  /** One of several machines died: another one soon sends what it left. */
  died(dead: number, survivor: () => Life | undefined): void {
    const { timeline, journal } = this.#parts;
    if (journal.fleet === undefined) return;
    const diedAtMs = timeline.nowMs;
    const left = [...journal.deliveries.values()].filter(
      ({ isStored, isLeased, leasedBy, final }) =>
        isStored && isLeased && leasedBy === dead && final === undefined,
    );
    const heir = survivor();
    if (heir === undefined) return;
    timeline.after(TAKE_OVER_MS + TAKE_UP_MS, () => {
      if (!heir.isServing || journal.ends.has(heir.number)) return;
      journal.count('left_behind_checked');
      for (const delivery of left) {
        if (delivery.final !== undefined || this.#isHeld(delivery)) continue;
        if (delivery.attempts.some(({ startedAtMs }) => startedAtMs >= diedAtMs)) continue;
        const provider = providerFor(delivery.platform, delivery.token);
        const dueAtMs = diedAtMs + TAKE_OVER_MS;
        this.#mustNotWait(delivery, {
          provider,
          life: heir.number,
          dueAtMs,
          troubleFromMs: diedAtMs,
        });
      }
    });
  }

  /** A life begins to serve: what was under way when the last one ended must soon be under way again. */
  tookUp(life: Life): void {
    const { timeline, journal } = this.#parts;
    // With several machines the living ones take over: see `died`.
    if (journal.fleet !== undefined) return;
    const beganAtMs = timeline.nowMs;
    const open = [...journal.deliveries.values()].filter(
      ({ isStored, isLeased, final }) => isStored && isLeased && final === undefined,
    );
    timeline.after(TAKE_UP_MS, () => {
      if (!life.isServing || journal.ends.has(life.number)) return;
      for (const delivery of open) {
        if (delivery.final !== undefined || this.#isHeld(delivery)) continue;
        if (delivery.attempts.some((attempt) => attempt.life === life.number)) continue;
        if (delivery.due?.life === life.number) continue;
        // If the clock was set back, a row counts as received now, and its hold is counted from now as well.
        if (journal.isHoldShifted(delivery.token)) continue;
        const provider = providerFor(delivery.platform, delivery.token);
        this.#mustNotWait(delivery, { provider, life: life.number, dueAtMs: beganAtMs });
      }
    });
  }

  #mustNotWait(
    delivery: DeliveryRecord,
    wait: {
      readonly provider: ProviderName;
      readonly life: number;
      readonly dueAtMs: number;
      readonly troubleFromMs?: number;
    },
  ): void {
    const { timeline, weather, journal } = this.#parts;
    const { provider, life } = wait;
    const change = journal.outages.lastBreakerChange(life, provider);
    if (change?.state === 'open') return;
    const dueAtMs = Math.max(wait.dueAtMs, change?.atMs ?? 0);
    const lateMs = timeline.nowMs - dueAtMs;
    if (lateMs <= LATE_MS || !wasCalm(weather.skies[provider], dueAtMs, timeline.nowMs)) return;
    if (hadDiskTrouble(weather, wait.troubleFromMs ?? dueAtMs, timeline.nowMs)) return;
    if (weather.floodsAtMs.some((atMs) => Math.abs(atMs - dueAtMs) < FLOOD_AFTERMATH_MS)) return;
    journal.violate('what is due goes out', `${delivery.id}: ${lateMs} ms late`);
  }

  #isHeld({ token }: DeliveryRecord): boolean {
    const hold = this.#parts.journal.holds.get(tokenHashOf(token));
    return hold !== undefined && hold.untilMs > this.#parts.timeline.nowMs;
  }
}
