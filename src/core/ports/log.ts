// The port for reading the log: everything about what an operator asks for, and figures over a period.
// All times are wall time.

import type { DeliveryStatus } from '../delivery.ts';
import type { Platform, ProviderName } from '../target.ts';
import type { Registrar } from './devices.ts';
import type { Gap, Outage, Refusal } from './records.ts';
import type { LoggedDelivery, QuarantineEntry } from './store.ts';

export interface LogReader {
  /** Everything about the question, from one snapshot. */
  gather(question: LogQuestion): Promise<Evidence>;
  /** Counts one page of rows, so that a long period delays no other query. */
  countPage(options: CountOptions): Promise<CountedPage>;
}

export type KeyKind = 'delivery' | 'request' | 'device' | 'token' | 'subject' | 'user' | 'handle';

/** A value as the log has it: ids as they are, everything else as a fingerprint. */
export interface LogKey {
  readonly kind: KeyKind;
  /** The whole value, or how it begins. */
  readonly value: string;
  readonly isWhole: boolean;
  /** How an id that is not whole ends. */
  readonly end?: string | undefined;
}

export interface LogQuestion {
  /** A row that any of them finds belongs to the answer. */
  readonly keys: readonly LogKey[];
  readonly sinceMs?: number | undefined;
  /** Deliveries and refusals, the newest of each; 1 to 1,000. */
  readonly limit: number;
}

export interface Evidence {
  /** By which kinds of keys something was found. */
  readonly found: readonly KeyKind[];
  /** Newest first. */
  readonly deliveries: readonly LoggedDelivery[];
  /** Newest first; repeats of accepted calls, too. */
  readonly refusals: readonly Refusal[];
  readonly devices: readonly LoggedDevice[];
  readonly quarantined: readonly QuarantineEntry[];
  /** The request id has no row of its own: these refusals were counted at its time, and it is probably one of them. */
  readonly isGuess: boolean;
  /** All that are kept, for any app and for the log itself; oldest first. */
  readonly outages: readonly Outage[];
  readonly gaps: readonly Gap[];
  /** When the log was made: its first entry, as far as that is known. */
  readonly madeAtMs?: number | undefined;
  /** When the process that has the log gave its last sign of life, wall time; absent if it ended in order or none is known. */
  readonly aliveUntilMs?: number | undefined;
}

export interface LoggedDevice {
  readonly id: string;
  readonly app: string;
  readonly platform: Platform;
  readonly registrar: Registrar;
  readonly user?: string | undefined;
  readonly createdAtMs: number;
  readonly seenAtMs: number;
  readonly deadSinceMs?: number | undefined;
}

/** Pages go from the newest row to the oldest of the period. */
export interface CountOptions {
  readonly of: 'deliveries' | 'refusals';
  readonly sinceMs: number;
  /** Where the page before ended. */
  readonly beforeRowId?: number | undefined;
  readonly maxRows: number;
  /** Counts each span of this many milliseconds of wall time separately; the whole period together if absent. */
  readonly spanMs?: number | undefined;
}

export interface CountedPage {
  readonly deliveries: readonly DeliveryCount[];
  readonly refusals: readonly RefusalCount[];
  /** Where to continue; absent at the end. */
  readonly nextRowId?: number | undefined;
}

/** Deliveries that have all of this in common. */
export interface DeliveryCount {
  /** Of its span; 0 if all were counted together. */
  readonly beganAtMs: number;
  readonly app: string;
  readonly provider: ProviderName;
  readonly status: DeliveryStatus;
  readonly reason?: string | undefined;
  /** From receipt to the provider's acceptance, of those that were delivered. */
  readonly afterMs?: number | undefined;
  /** Of those that were not. */
  readonly tokenHash?: string | undefined;
  readonly count: number;
}

export interface RefusalCount {
  /** Of its span; 0 if all were counted together. */
  readonly beganAtMs: number;
  /** A configured one. */
  readonly app?: string | undefined;
  readonly code: string;
  readonly tokenHash?: string | undefined;
  readonly count: number;
}
