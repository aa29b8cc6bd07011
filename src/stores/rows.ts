// The rows that statements read, each declared with the tables that it comes from: one declaration gives the list of
// columns and the type, and a test compares every declaration with what SQLite returns. The names are SQLite's;
// PostgreSQL reads its own columns under them (postgres/reading.ts).

export type Column = 'integer' | 'text' | 'blob' | 'integer?' | 'text?' | 'blob?';

type ValueOf<Declared> = Declared extends `${infer Given}?`
  ? ValueOf<Given> | null
  : Declared extends 'integer'
    ? number
    : Declared extends 'text'
      ? string
      : Uint8Array;

/** `queue.row_id` is read as `row_id`. */
type NameOf<Key> = Key extends `${string}.${infer Name}` ? Name : Key;

export interface Rows<Columns> {
  readonly columns: Columns;
  /** `SELECT … FROM …`, to be continued with a condition. */
  readonly sql: string;
}

/** For tables whose columns are read as they are. */
export interface TableRows<Columns> extends Rows<Columns> {
  readonly tables: string;
}

export type RowOf<Declared> =
  Declared extends Rows<infer Columns>
    ? { readonly [Key in keyof Columns as NameOf<Key>]: ValueOf<Columns[Key]> }
    : never;

export function rows<const Columns extends Readonly<Record<string, Column>>>(
  tables: string,
  columns: Columns,
): TableRows<Columns> {
  return { tables, columns, sql: `SELECT ${Object.keys(columns).join(', ')} FROM ${tables}` };
}

/** Whether the database returned the declared columns. */
export function isRow<Columns extends Readonly<Record<string, Column>>>(
  { columns }: Rows<Columns>,
  found: unknown,
): found is RowOf<Rows<Columns>> {
  if (typeof found !== 'object' || found === null) return false;
  const values = new Map(Object.entries(found));
  const declared = Object.entries(columns);
  return (
    values.size === declared.length &&
    declared.every(([key, column]) => isOf(column, values.get(key.slice(key.indexOf('.') + 1))))
  );
}

function isOf(column: Column, value: unknown): boolean {
  if (column.endsWith('?') && value === null) return true;
  if (column.startsWith('integer')) return typeof value === 'number';
  return column.startsWith('text') ? typeof value === 'string' : value instanceof Uint8Array;
}

export const APPLIED_MIGRATIONS = rows('migrations', { tag: 'text', hash: 'text' });

export const META = rows('meta', { name: 'text', value: 'blob' });

export const LOGGED_DELIVERIES = rows('deliveries', {
  row_id: 'integer',
  id: 'text',
  received_at_ms: 'integer',
  status: 'text',
  reason: 'text?',
  app: 'text',
  platform: 'text',
  provider: 'text',
  type: 'text',
  token_hash: 'text',
  subject_hash: 'text?',
  device_id: 'text?',
  settled_at_ms: 'integer?',
  answered_at_ms: 'integer?',
  lifetime_ms: 'integer',
  door: 'text?',
  source: 'text?',
  request_id: 'text?',
  told: 'text?',
  told_status: 'integer?',
  told_at_ms: 'integer?',
  repeats: 'integer',
  repeated_at_ms: 'integer?',
  renewed_at_ms: 'integer?',
});

export const DELIVERY_IDS = rows('deliveries', { row_id: 'integer' });
export const REFUSAL_IDS = rows('refusals', { row_id: 'integer' });
export const DEVICE_IDS = rows('devices', { row_id: 'integer' });
export const HANDLES = rows('handles', { device_row_id: 'integer' });

export const REFUSALS = rows('refusals', {
  row_id: 'integer',
  at_ms: 'integer',
  last_at_ms: 'integer',
  count: 'integer',
  request_id: 'text?',
  door: 'text',
  source: 'text?',
  app: 'text?',
  code: 'text',
  status: 'integer',
  limit_name: 'text?',
  token_hash: 'text?',
  handle_hash: 'text?',
  subject_hash: 'text?',
  device_id: 'text?',
  fields: 'text?',
  node_id: 'text?',
  address_hash: 'text?',
  delivery_id: 'text?',
  known: 'integer',
});

export const OUTAGES = rows('outages', {
  app: 'text',
  provider: 'text',
  reason: 'text',
  began_at_ms: 'integer',
  ended_at_ms: 'integer?',
});

export const GAPS = rows('gaps', {
  kind: 'text',
  began_at_ms: 'integer',
  ended_at_ms: 'integer?',
  unlogged: 'integer',
});

export const LOGGED_ATTEMPTS = rows('attempts', {
  number: 'integer',
  started_at_ms: 'integer',
  latency_ms: 'integer',
  outcome: 'text',
  reason: 'text?',
  message_id: 'text?',
});

/** What the end of an open delivery needs. */
export const OPEN_DELIVERIES = rows('queue JOIN deliveries USING (row_id)', {
  row_id: 'integer',
  'deliveries.id': 'text',
  'deliveries.token_hash': 'text',
  'deliveries.attempts': 'integer',
  'queue.lease_owner': 'text?',
  'queue.key_hash': 'text?',
  'queue.interrupted': 'integer',
});

export const CLAIMED_DELIVERIES = rows('queue JOIN deliveries USING (row_id)', {
  row_id: 'integer',
  'deliveries.id': 'text',
  'deliveries.app': 'text',
  'deliveries.platform': 'text',
  'deliveries.provider': 'text',
  'deliveries.type': 'text',
  'deliveries.device_id': 'text?',
  'deliveries.token_hash': 'text',
  'deliveries.subject_hash': 'text?',
  'deliveries.received_at_ms': 'integer',
  'deliveries.lifetime_ms': 'integer',
  'deliveries.attempts': 'integer',
  'queue.sealed': 'blob',
  'queue.expires_at_ms': 'integer',
  'queue.unanswered': 'integer',
  'queue.interrupted': 'integer',
  'queue.lease_owner': 'text?',
  'queue.key_hash': 'text?',
});

export const TOKENS = rows('deliveries', {
  row_id: 'integer',
  token_hash: 'text',
  status: 'text',
});

export const QUARANTINED = rows('quarantine', {
  token_hash: 'text',
  app: 'text',
  provider: 'text',
  kind: 'text',
  reason: 'text',
  since_ms: 'integer',
  until_ms: 'integer',
  provider_since_ms: 'integer?',
});

const DEVICE_COLUMNS = {
  'devices.row_id': 'integer',
  'devices.id': 'text',
  'devices.app': 'text',
  'devices.platform': 'text',
  'devices.registrar': 'text',
  'devices.token_hash': 'text',
  'devices.created_at_ms': 'integer',
  'devices.seen_at_ms': 'integer',
  'devices.dead_since_ms': 'integer?',
  'devices.sealed': 'blob',
} as const;

export const DEVICES = rows('devices', DEVICE_COLUMNS);

export const DEVICES_OF_HANDLES = rows(
  'handles JOIN devices ON devices.row_id = handles.device_row_id',
  DEVICE_COLUMNS,
);

/** A delivery, with its plan while it is queued. */
export const HURRIED_DELIVERIES = rows('deliveries LEFT JOIN queue USING (row_id)', {
  row_id: 'integer',
  'deliveries.app': 'text',
  'deliveries.provider': 'text',
  'queue.due_at_ms': 'integer?',
  'queue.lease_until_ms': 'integer?',
  'queue.not_before_ms': 'integer?',
});

/** What deleting a device needs of it. */
export const ERASED_DEVICES = rows('devices', {
  row_id: 'integer',
  id: 'text',
  token_hash: 'text',
});

/** Ids and hashes of a user or token that is to be forgotten. */
export interface Traces {
  readonly devices: readonly RowOf<typeof ERASED_DEVICES>[];
  /** Tokens that no other device has. */
  readonly tokenHashes: readonly string[];
}
