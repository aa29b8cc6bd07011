// The port for what an operator lists and changes in the log and the registry, beside the ports that deliveries need.

import type { DeliveryStatus } from '../delivery.ts';
import type { ProviderName } from '../target.ts';
import type { Device } from './devices.ts';
import type { Refusal } from './records.ts';
import type { LoggedDelivery, QuarantineEntry } from './store.ts';

/** Newest first. A page may have fewer entries than were asked for, even none, and still be followed by others. */
export interface Page<Entry, Cursor = number> {
  readonly entries: readonly Entry[];
  /** The `cursor` of the next page; absent at the end. */
  readonly next?: Cursor | undefined;
}

interface PageQuery<Cursor = number> {
  /** Where an earlier page ended; absent for the first one. */
  readonly cursor?: Cursor | undefined;
  /** 1 to 1,000. */
  readonly limit: number;
}

export interface DeliveryPageQuery extends PageQuery {
  readonly app?: string | undefined;
  readonly provider?: ProviderName | undefined;
  readonly type?: string | undefined;
  readonly status?: DeliveryStatus | undefined;
  /** Wall time of receipt. */
  readonly sinceMs?: number | undefined;
}

export interface RefusalPageQuery extends PageQuery {
  readonly app?: string | undefined;
  readonly door?: string | undefined;
  readonly code?: string | undefined;
  readonly tokenHash?: string | undefined;
  readonly deviceId?: string | undefined;
  /** Wall time of the last of its calls. */
  readonly sinceMs?: number | undefined;
}

export interface DevicePageQuery extends PageQuery {
  readonly app?: string | undefined;
}

/** As the rows have them. */
export type QuarantineCursor = Pick<QuarantineEntry, 'sinceMs' | 'tokenHash'>;

export interface QuarantinePageQuery extends PageQuery<QuarantineCursor> {
  readonly app?: string | undefined;
  /** Entries that have ended by then are left out. */
  readonly wallMs: number;
}

export interface WaitingInLane {
  readonly app: string;
  readonly provider: ProviderName;
  readonly deliveries: number;
  /** Wall time at which the oldest of them came. */
  readonly oldestAtMs: number;
}

/** The state of a delivery when an operator wants it tried at once. */
export type Hurried =
  | { readonly kind: 'unknown' | 'ended' }
  /** It is being sent at this moment. */
  | { readonly kind: 'under_way' }
  /** No attempt may start before this, service time. */
  | { readonly kind: 'held'; readonly untilMs: number }
  /** It is due now. */
  | { readonly kind: 'due'; readonly app: string; readonly provider: ProviderName };

/** The users and tokens that the log and the registry have to forget. */
export interface Forgotten {
  readonly userHashes: readonly string[];
  readonly tokenHashes: readonly string[];
}

/** Takes the place of the fingerprint of a token that was forgotten. */
export const FORGOTTEN_TOKEN = '0'.repeat(32);

/** Every promise rejects with `StoreUnavailableError` when the database cannot take the operation. */
export interface OperatingStore {
  listDeliveries(query: DeliveryPageQuery): Promise<Page<LoggedDelivery>>;
  listRefusals(query: RefusalPageQuery): Promise<Page<Refusal>>;
  listDevices(query: DevicePageQuery): Promise<Page<Device>>;
  listQuarantine(query: QuarantinePageQuery): Promise<Page<QuarantineEntry, QuarantineCursor>>;

  /** Deliveries that have not ended, by app and provider. */
  listWaiting(): Promise<readonly WaitingInLane[]>;

  /** Makes a queued delivery due now, unless it is being sent or held. */
  hurry(options: { readonly deliveryId: string; readonly nowMs: number }): Promise<Hurried>;

  /**
   * Deletes the devices of these users and tokens with their handles and quarantines, ends their open deliveries as
   * `rejected` with the reason `device_deleted`, and removes the fingerprints and the device from their rows in the
   * log. A token that another user's device has too stays known, but not in the rows of the deleted devices. Works in
   * steps, the devices last: after an interruption the same call finishes the rest. Returns what was deleted.
   */
  forget(options: Forgotten & { readonly wallMs: number }): Promise<ForgetResult>;
}

export interface ForgetResult {
  readonly devices: number;
  /** Rows of the log that were changed. */
  readonly deliveries: number;
  /** Tokens that no phone has now. */
  readonly tokenHashes: readonly string[];
}
