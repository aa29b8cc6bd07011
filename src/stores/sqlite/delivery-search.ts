// An operator's lookup: the newest deliveries that match, with their attempts.

import type Database from 'better-sqlite3';
import type { Delivery, DeliveryStatus } from '../../core/delivery.ts';
import type { DeliveryQuery, LoggedAttempt, LoggedDelivery } from '../../core/ports/store.ts';
import {
  codeOf,
  nameOf,
  OUTCOMES,
  PLATFORMS,
  PROVIDERS,
  packUuid,
  STATUSES,
  tryPackFingerprint,
  tryPackUuid,
  unpackFingerprint,
  unpackUuid,
  wholeMs,
} from './codec.ts';
import { prepareJournalReading } from './journal.ts';
import { prepareLookup } from './lookups.ts';
import { unpackMessageId } from './message-ids.ts';
import type { Sealer } from './seal.ts';

const MAX_LIMIT = 1_000;

interface DeliveryRow {
  readonly rowId: number;
  readonly id: Buffer;
  readonly app: string;
  readonly platform: number;
  readonly provider: number;
  readonly type: string;
  readonly status: number;
  readonly reason: string | null;
  readonly receivedAtMs: number;
  readonly settledAtMs: number | null;
  readonly tokenHash: Buffer;
  readonly subjectHash: Buffer | null;
  readonly answeredAtMs: number | null;
}

interface AttemptRow {
  readonly number: number;
  readonly startedAtMs: number;
  readonly latencyMs: number;
  readonly outcome: number;
  readonly reason: string | null;
  readonly prefix: string | null;
  readonly messageId: Buffer | string | null;
}

interface Conditions {
  readonly sql: readonly string[];
  readonly values: readonly (Buffer | number)[];
  /** Of the token or the subject, if one is asked for. */
  readonly hash: Buffer | undefined;
}

const DELIVERY_COLUMNS = `row_id AS rowId, id, app, platform, provider, type, status, reason,
  received_at_ms AS receivedAtMs, settled_at_ms AS settledAtMs, token_hash AS tokenHash,
  subject_hash AS subjectHash, answered_at_ms AS answeredAtMs`;

/** Throws a RangeError for a limit out of bounds. */
export function prepareDeliverySearch(db: Database.Database, sealer: Sealer) {
  const readJournal = prepareJournalReading(db, [sealer]);
  const isInTable = db.prepare<[Buffer]>('SELECT 1 FROM deliveries WHERE id = ?');
  const findRows = prepareRowSearch(db);

  return function search(query: DeliveryQuery): readonly LoggedDelivery[] {
    if (!Number.isInteger(query.limit) || query.limit < 1 || query.limit > MAX_LIMIT) {
      throw new RangeError(`limit must be from 1 to ${MAX_LIMIT}`);
    }
    const inJournal = readJournal()
      .flatMap(({ accepted }) => accepted)
      .filter(({ delivery }) => matches(delivery, query))
      .filter(({ delivery }) => isInTable.get(packUuid(delivery.id)) === undefined)
      .map(({ delivery }) => toOpen(delivery));
    // Ids are in the order of receipt; rows are in the order in which deliveries left the journal.
    return [...inJournal, ...findRows(query)]
      .sort((one, other) => (one.id < other.id ? 1 : -1))
      .slice(0, query.limit);
  };
}

/** Deliveries that have left the journal, those that did last first. */
function prepareRowSearch(db: Database.Database) {
  const rowsOf = prepareLookup(db);
  const findAttempts = db.prepare<[number], AttemptRow>(
    `SELECT a.number, a.started_at_ms AS startedAtMs, a.latency_ms AS latencyMs, a.outcome, a.reason,
       p.prefix, a.message_id AS messageId
     FROM attempts a LEFT JOIN message_prefixes p ON p.prefix_id = a.prefix_id
     WHERE a.row_id = ? ORDER BY a.number`,
  );
  const toFound = (row: DeliveryRow) =>
    toLogged(row, findAttempts.all(row.rowId).map(toLoggedAttempt));

  return function findRows(query: DeliveryQuery): readonly LoggedDelivery[] {
    const conditions = conditionsOf(query);
    if (conditions === undefined) return [];
    const { sql, values, hash } = conditions;
    const select = `SELECT ${DELIVERY_COLUMNS} FROM deliveries WHERE ${['TRUE', ...sql].join(' AND ')}`;
    if (hash === undefined) {
      return db
        .prepare<unknown[], DeliveryRow>(`${select} ORDER BY row_id DESC LIMIT ?`)
        .all(...values, query.limit)
        .map(toFound);
    }
    const check = db.prepare<unknown[], DeliveryRow>(`${select} AND row_id = ?`);
    return rowsOf(hash)
      .map((rowId) => check.get(...values, rowId))
      .filter((row) => row !== undefined)
      .take(query.limit)
      .map(toFound)
      .toArray();
  };
}

function matches(delivery: Delivery, query: DeliveryQuery): boolean {
  return (
    (query.id ?? delivery.id) === delivery.id &&
    (query.tokenHash ?? delivery.tokenHash) === delivery.tokenHash &&
    (query.subjectHash ?? delivery.subjectHash) === delivery.subjectHash &&
    (query.status ?? 'queued') === 'queued'
  );
}

/** Nothing if a value has a form that was never stored, so that nothing can match it. */
function conditionsOf(query: DeliveryQuery): Conditions | undefined {
  const sql: string[] = [];
  const values: (Buffer | number)[] = [];
  let hash: Buffer | undefined;
  const wanted = [
    { column: 'id', value: query.id, pack: tryPackUuid },
    { column: 'token_hash', value: query.tokenHash, pack: tryPackFingerprint },
    { column: 'subject_hash', value: query.subjectHash, pack: tryPackFingerprint },
  ];
  for (const { column, value, pack } of wanted) {
    if (value === undefined) continue;
    const packed = pack(value);
    if (packed === undefined) return undefined;
    if (column !== 'id') hash = packed;
    sql.push(`${column} = ?`);
    values.push(packed);
  }
  if (query.status !== undefined) {
    sql.push(statusCondition(query.status));
    values.push(codeOf(STATUSES, query.status));
  }
  // An id says more than any lookup.
  return { sql, values, hash: query.id === undefined ? hash : undefined };
}

/** The rare statuses have indexes of their own: the queue, and the partial one of the failed. */
function statusCondition(status: DeliveryStatus): string {
  switch (status) {
    case 'queued':
      return 'row_id IN (SELECT row_id FROM queue) AND status = ?';
    case 'delivered':
      return 'status = ?';
    default:
      return 'status > 1 AND status = ?';
  }
}

/** One that waits for the end of its first try. */
function toOpen(delivery: Delivery): LoggedDelivery {
  const { id, target, provider, notification, receivedAtMs, tokenHash, subjectHash } = delivery;
  const { app, platform } = target;
  return {
    id,
    app,
    platform,
    provider,
    type: notification.type,
    status: 'queued',
    receivedAtMs: wholeMs(receivedAtMs),
    tokenHash,
    ...(subjectHash === undefined ? {} : { subjectHash }),
    attempts: [],
  };
}

function toLogged(row: DeliveryRow, attempts: readonly LoggedAttempt[]): LoggedDelivery {
  return {
    id: unpackUuid(row.id),
    app: row.app,
    platform: nameOf(PLATFORMS, row.platform),
    provider: nameOf(PROVIDERS, row.provider),
    type: row.type,
    status: nameOf(STATUSES, row.status),
    ...(row.reason === null ? {} : { reason: row.reason }),
    receivedAtMs: row.receivedAtMs,
    ...(row.settledAtMs === null ? {} : { settledAtMs: row.settledAtMs }),
    tokenHash: unpackFingerprint(row.tokenHash),
    ...(row.subjectHash === null ? {} : { subjectHash: unpackFingerprint(row.subjectHash) }),
    ...(row.answeredAtMs === null ? {} : { answeredAtMs: row.answeredAtMs }),
    attempts,
  };
}

function toLoggedAttempt(row: AttemptRow): LoggedAttempt {
  const messageId = unpackMessageId(row.prefix, row.messageId);
  return {
    number: row.number,
    startedAtMs: row.startedAtMs,
    latencyMs: row.latencyMs,
    outcome: nameOf(OUTCOMES, row.outcome),
    ...(row.reason === null ? {} : { reason: row.reason }),
    ...(messageId === undefined ? {} : { messageId }),
  };
}
