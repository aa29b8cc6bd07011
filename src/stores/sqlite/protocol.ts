// The messages between the main thread and the worker threads. Everything is plain data that survives
// the structured clone.

import type { AddedDevice, Device, DeviceStore, StoredDevice } from '../../core/ports/devices.ts';
import type {
  AttemptNote,
  Condemned,
  DigestCount,
  Endpoint,
  EndpointAttempt,
  EventStore,
  PendingAlert,
  Progress,
  RecordedEvent,
  StoredEndpoint,
} from '../../core/ports/events.ts';
import type { CountedPage, CountOptions, Evidence, LogQuestion } from '../../core/ports/log.ts';
import type {
  DeliveryPageQuery,
  DevicePageQuery,
  Hurried,
  Page,
  QuarantineCursor,
  QuarantinePageQuery,
  RefusalPageQuery,
  WaitingInLane,
} from '../../core/ports/operating.ts';
import type { Claim, ClaimResult, HastenOptions, Renewal } from '../../core/ports/plans.ts';
import type { ReceiptStore } from '../../core/ports/receipts.ts';
import type {
  Gap,
  Outage,
  Records,
  Refusal,
  RefusalsWrite,
  Told,
} from '../../core/ports/records.ts';
import type {
  AcceptedDelivery,
  Confirmation,
  DeliveryQuery,
  LoggedDelivery,
  QuarantineEntry,
  QueueState,
  Settlement,
} from '../../core/ports/store.ts';
import type { Keys } from '../sealing/keys.ts';
import type { Failure } from './errors.ts';
import type { Rewind } from './events/endpoints.ts';
import type { AttemptQuery, NextEvents } from './events/queries.ts';
import type { ConnectionOptions } from './file/open-database.ts';
import type { ForgetDevices, ForgetRows, ForgottenDevices } from './operations/forget.ts';
import type { Hurry } from './operations/hurry.ts';

export interface WriterOptions extends ConnectionOptions {
  readonly role: 'writer';
  readonly keys: Keys;
  /** Set when the worker is started again: the file must exist and be the same database. */
  readonly expectedLookupKey?: Uint8Array | undefined;
}

export interface ReaderOptions extends ConnectionOptions {
  readonly role: 'reader';
  readonly keys: Keys;
}

interface Call<Input, Output> {
  readonly input: Input;
  readonly output: Output;
}

type ReceiptInput<Name extends keyof ReceiptStore> = Parameters<ReceiptStore[Name]>[0];
type ReceiptCall<Name extends keyof ReceiptStore> = Call<
  ReceiptInput<Name>,
  Awaited<ReturnType<ReceiptStore[Name]>>
>;

/** The writer's operations; those of a batch share one transaction. */
export interface WriteCalls {
  readonly insert: Call<AcceptedDelivery, undefined>;
  readonly settle: Call<SettlementWrite, boolean>;
  readonly confirm: Call<Confirmation, boolean>;
  readonly renew: Call<Renewal, boolean>;
  readonly claim: Call<Claim, ClaimResult>;
  readonly release_leases: Call<{ readonly owner: string }, undefined>;
  readonly recover: Call<{ readonly nowMs: number }, number>;
  readonly hasten: Call<HastenOptions, number>;
  readonly expire_overdue: Call<ExpiryOptions, readonly string[]>;
  readonly quarantine: Call<QuarantineWrite, undefined>;
  readonly release_quarantine: Call<{ readonly tokenHash: string }, boolean>;
  readonly prune: Call<PruneOptions, number>;
  readonly record_reply: Call<ReplyRecord, undefined>;
  readonly probe: Call<undefined, undefined>;
  /**
   * The two queries of a start, answered by the writer, which is idle then. So the reader's thread starts only at
   * another query.
   */
  readonly list_quarantine: Call<QuarantineQuery, readonly QuarantineEntry[]>;
  readonly proven_tokens: Call<TokenPageQuery, TokenPage>;
  /** Checks whether the file is still there and sound; writes nothing into it. */
  readonly check_file: Call<{ readonly aliveAtMs: number }, undefined>;
  readonly tell: Call<Told, undefined>;
  readonly write_refusals: Call<RefusalsWrite, readonly number[]>;
  readonly trim_refusals: Call<RefusalTrim, number>;
  readonly record_outage: Call<Outage, undefined>;
  readonly record_gap: Call<Gap, undefined>;
  readonly begin: Call<LogBeginning, undefined>;
  readonly end: Call<{ readonly wallMs: number }, undefined>;
  readonly prune_records: Call<RecordPruning, number>;
  readonly add_device: Call<DeviceAddition, AddedDevice>;
  readonly replace_device: Call<StoredDevice, boolean>;
  readonly delete_device: Call<DeviceDeletion, boolean>;
  readonly prune_devices: Call<DevicePruning, PrunedDevices>;
  readonly use_once: Call<SignatureUse, boolean>;
  readonly hurry: Call<Hurry, Hurried>;
  readonly forget_rows: Call<ForgetRows, number>;
  readonly forget_devices: Call<ForgetDevices, ForgottenDevices>;
  readonly record_push: ReceiptCall<'recordPush'>;
  readonly record_receipt: ReceiptCall<'recordReceipt'>;
  readonly record_knock: ReceiptCall<'recordKnock'>;
  readonly record_knock_outcome: Call<ReceiptInput<'recordKnockOutcome'>, undefined>;
  readonly record_replied: ReceiptCall<'recordReplied'>;
  readonly record_useless_knock: ReceiptCall<'recordUselessKnock'>;
  readonly note_silent: ReceiptCall<'noteSilent'>;
  readonly note_missed: ReceiptCall<'noteMissed'>;
  readonly list_endpoints: Call<undefined, readonly StoredEndpoint[]>;
  readonly put_endpoint: Call<EndpointWrite, StoredEndpoint>;
  readonly delete_endpoint: Call<{ readonly id: string }, boolean>;
  readonly rewind_endpoint: Call<Rewind, Progress>;
  readonly note_attempt: Call<AttemptNote, undefined>;
  readonly prune_events: Call<Parameters<EventStore['pruneEvents']>[0], number>;
}

/** The reader's operations. */
export interface ReadCalls {
  readonly queue_state: Call<{ readonly nowMs: number }, QueueState>;
  readonly find_duplicate: Call<DuplicateQuery, string | undefined>;
  readonly find_deliveries: Call<DeliveryQuery, readonly LoggedDelivery[]>;
  readonly gather: Call<LogQuestion, Evidence>;
  readonly count_page: Call<CountOptions, CountedPage>;
  readonly find_device: Call<{ readonly id: string }, Device | undefined>;
  readonly find_device_by_handle: Call<{ readonly handleHash: string }, Device | undefined>;
  readonly find_devices_by_user: Call<DevicesOfUserQuery, readonly Device[]>;
  readonly list_deliveries: Call<DeliveryPageQuery, Page<LoggedDelivery>>;
  readonly list_refusals: Call<RefusalPageQuery, Page<Refusal>>;
  readonly list_devices: Call<DevicePageQuery, Page<Device>>;
  readonly list_waiting: Call<undefined, readonly WaitingInLane[]>;
  readonly next_events: Call<NextEvents, Awaited<ReturnType<EventStore['nextEvents']>>>;
  readonly next_alerts: Call<NextEvents, readonly PendingAlert[]>;
  readonly read_digest: Call<{ readonly endpointId: string }, readonly DigestCount[]>;
  readonly find_event: Call<{ readonly id: string }, RecordedEvent | undefined>;
  readonly list_attempts: Call<AttemptQuery, readonly EndpointAttempt[]>;
  readonly page_quarantine: Call<QuarantinePageQuery, Page<QuarantineEntry, QuarantineCursor>>;
  readonly find_wake: ReceiptCall<'findWake'>;
  readonly find_history: ReceiptCall<'findHistory'>;
}

export interface QuarantineWrite {
  readonly entry: QuarantineEntry;
  readonly about: Condemned | undefined;
}

export interface EndpointWrite {
  readonly endpoint: Endpoint;
  readonly cursor: number | undefined;
}

export interface SettlementWrite {
  readonly settlement: Settlement;
  /** What the caller was told before this was sent to the thread. */
  told: Told | undefined;
}

export type RefusalTrim = Parameters<Records['trimRefusals']>[0];
export type RecordPruning = Parameters<Records['prune']>[0];

export interface LogBeginning {
  readonly wallMs: number;
  /** The last sign of life of the previous process, if it left one. */
  readonly aliveUntilMs: number | undefined;
}

export interface ExpiryOptions {
  readonly nowMs: number;
  readonly wallMs: number;
  readonly limit: number;
}

export interface PruneOptions {
  readonly beforeMs: number;
  readonly nowMs: number;
  readonly wallMs: number;
  readonly limit: number;
}

export type DeviceAddition = Parameters<DeviceStore['addDevice']>[0];
export type DeviceDeletion = Parameters<DeviceStore['deleteDevice']>[0];
export type DevicesOfUserQuery = Parameters<DeviceStore['findDevicesByUser']>[0];
export type SignatureUse = Parameters<DeviceStore['useOnce']>[0];

export interface DevicePruning {
  readonly deadBeforeMs: number;
  readonly unseenBeforeMs: number;
  readonly nowMs: number;
  readonly wallMs: number;
  readonly limit: number;
  readonly signatureLimit: number;
}

export interface PrunedDevices {
  readonly dead: number;
  readonly unseen: number;
  readonly signatures: number;
}

export interface ReplyRecord {
  readonly deliveryId: string;
  readonly answeredAtMs: number;
}

export interface DuplicateQuery {
  readonly keyHash: string;
  readonly nowMs: number;
}

export interface QuarantineQuery {
  readonly wallMs: number;
  readonly limit: number;
}

/** Reads `maxRows` deliveries, starting at the newest or before a given row. */
export interface TokenPageQuery {
  readonly beforeRowId?: number | undefined;
  readonly maxRows: number;
}

export interface TokenPage {
  readonly tokenHashes: readonly string[];
  /** Where to continue; absent at the end. */
  readonly nextRowId?: number | undefined;
}

export type Operation<Calls> = {
  [Kind in keyof Calls]: Calls[Kind] extends Call<infer Input, unknown>
    ? { readonly kind: Kind; readonly input: Input }
    : never;
}[keyof Calls];

export type Result<Calls> = {
  [Kind in keyof Calls]: Calls[Kind] extends Call<unknown, infer Output>
    ? { readonly kind: Kind; readonly output: Output }
    : never;
}[keyof Calls];

export type OutputOf<Calls, Kind> = Extract<Result<Calls>, { readonly kind: Kind }>['output'];

export type WriteOperation = Operation<WriteCalls>;
export type ReadOperation = Operation<ReadCalls>;
export type WriteResult = Result<WriteCalls>;
export type ReadResult = Result<ReadCalls>;

export type Reply<Calls> =
  | { readonly ok: true; readonly result: Result<Calls> }
  | { readonly ok: false; readonly failure: Failure };

export type ToWorker<Calls> =
  | { readonly kind: 'batch'; readonly operations: readonly Operation<Calls>[] }
  | { readonly kind: 'close' };

export interface Opened {
  readonly kind: 'opened';
  readonly lookupKey: Uint8Array;
  /** From the writer, if the encryption key was replaced. */
  readonly resealedRows?: number | undefined;
  /**
   * From the writer: when the previous process was last alive, wall time; absent if it was stopped or there was none.
   */
  readonly aliveUntilMs?: number | undefined;
  /** The version of SQLite, from the writer. */
  readonly sqliteVersion?: string | undefined;
}

export type FromWorker<Calls> =
  | Opened
  | { readonly kind: 'not_opened'; readonly failure: Failure }
  /** One reply for each operation of the batch, in its order. */
  | { readonly kind: 'replies'; readonly replies: readonly Reply<Calls>[] };
