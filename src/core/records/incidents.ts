// Outages of the providers and gaps of the log on their way into it. They are few; those that a failing store cannot
// take are kept until it works again.

import type { Clock } from '../ports/clock.ts';
import type { EventNamed } from '../ports/observer.ts';
import type { Gap, Outage, Records } from '../ports/records.ts';

/** Entries that wait for a failing store; beyond this, the oldest is dropped. */
const MAX_UNWRITTEN = 1_000;

type BreakerChanged = EventNamed<'breaker_changed'>;
type AttemptEnded = EventNamed<'attempt_ended'>;
type Write = () => Promise<void>;

export interface IncidentsParts {
  readonly clock: Clock;
  readonly records: Records;
  /** The app cannot push by the provider, because its configuration was refused. */
  readonly isMisconfigured: (lane: Pick<Outage, 'app' | 'provider'>) => boolean;
}

export class Incidents {
  readonly #parts: IncidentsParts;
  /** By lane and cause. */
  readonly #open = new Map<string, Outage>();
  #unwritten: Write[] = [];
  #storeFailedAtMs: number | undefined;
  #writing: Promise<void> = Promise.resolve();

  constructor(parts: IncidentsParts) {
    this.#parts = parts;
  }

  /** This process begins to write the log. */
  begin(): void {
    const wallMs = this.#parts.clock.wallMs();
    this.#write(() => this.#parts.records.begin({ wallMs }));
  }

  breakerChanged({ app, provider, state, reason = 'unknown' }: BreakerChanged): void {
    const key = `${app}\n${provider}\nbreaker`;
    if (state === 'open') this.#begin(key, { app, provider, reason });
    else this.#end(key);
  }

  attemptEnded({ app, provider, outcome, reason = 'unknown' }: AttemptEnded): void {
    const key = `${app}\n${provider}\nconfiguration`;
    const isOpen = this.#open.has(key);
    if (outcome !== 'misconfigured' && !isOpen) return;
    const isMisconfigured = this.#parts.isMisconfigured({ app, provider });
    if (isMisconfigured && !isOpen) this.#begin(key, { app, provider, reason, isMisconfigured });
    else if (!isMisconfigured && isOpen) this.#end(key);
  }

  storeFailed(): void {
    this.#storeFailedAtMs ??= this.#parts.clock.wallMs();
  }

  /** The open gap, which the log cannot contain yet. */
  openGap(): Gap | undefined {
    if (this.#storeFailedAtMs === undefined) return undefined;
    return { kind: 'store', beganAtMs: this.#storeFailedAtMs, unlogged: 0 };
  }

  storeRecovered({ unlogged }: EventNamed<'store_recovered'>): void {
    const { clock, records } = this.#parts;
    const endedAtMs = clock.wallMs();
    const gap: Gap = {
      kind: 'store',
      beganAtMs: this.#storeFailedAtMs ?? endedAtMs,
      endedAtMs,
      unlogged,
    };
    this.#storeFailedAtMs = undefined;
    const unwritten = this.#unwritten;
    this.#unwritten = [];
    for (const write of unwritten) this.#write(write);
    this.#write(() => records.recordGap(gap));
  }

  /** Resolves when all entries so far are in the log, or wait for the store. Never rejects. */
  written(): Promise<void> {
    return this.#writing;
  }

  /** The process ends. Never rejects. */
  close(): Promise<void> {
    const wallMs = this.#parts.clock.wallMs();
    this.#write(() => this.#parts.records.end({ wallMs }));
    return this.#writing;
  }

  #begin(key: string, outage: Omit<Outage, 'beganAtMs'>): void {
    const begun: Outage = { ...outage, beganAtMs: this.#parts.clock.wallMs() };
    this.#open.set(key, begun);
    this.#write(() => this.#parts.records.recordOutage(begun));
  }

  #end(key: string): void {
    const outage = this.#open.get(key);
    if (outage === undefined) return;
    this.#open.delete(key);
    const ended: Outage = { ...outage, endedAtMs: this.#parts.clock.wallMs() };
    this.#write(() => this.#parts.records.recordOutage(ended));
  }

  /** One after the other, so that an outage begins before it ends. */
  #write(write: Write): void {
    this.#writing = this.#writing.then(write).catch(() => {
      this.#unwritten.push(write);
      if (this.#unwritten.length > MAX_UNWRITTEN) this.#unwritten.shift();
    });
  }
}
