// The tables that are copied from an SQLite file, parents before their children. Both databases have them under the same
// names; columns are found by the names of PostgreSQL's.

import { deliveryContext, deviceContext, endpointContext } from '../../sealing/content.ts';

export interface CopiedTable {
  readonly name: string;
  readonly key: readonly string[];
  /** Where SQLite has no column of this name: the expression that replaces it. */
  readonly from?: Readonly<Record<string, string>>;
  /** The context of the column `sealed`: an id, in SQLite's SQL, and the context that is made from it. */
  readonly sealed?: { readonly id: string; readonly contextOf: (id: string) => string };
}

export const COPIED_TABLES: readonly CopiedTable[] = [
  { name: 'deliveries', key: ['row_id'] },
  {
    name: 'queue',
    key: ['row_id'],
    sealed: {
      id: '(SELECT d.id FROM deliveries d WHERE d.row_id = queue.row_id)',
      contextOf: deliveryContext,
    },
  },
  { name: 'attempts', key: ['row_id', 'number'] },
  { name: 'wakes', key: ['row_id'] },
  { name: 'receipts', key: ['row_id', 'number'] },
  { name: 'awaited_receipts', key: ['row_id'] },
  { name: 'wake_histories', key: ['token_hash'] },
  { name: 'duplicate_keys', key: ['key_hash'] },
  { name: 'quarantine', key: ['token_hash'] },
  { name: 'refusals', key: ['row_id'] },
  // A name that no machine will ever have.
  { name: 'outages', key: ['row_id'], from: { node: "'sqlite'" } },
  { name: 'gaps', key: ['row_id'] },
  { name: 'devices', key: ['row_id'], sealed: { id: 'id', contextOf: deviceContext } },
  { name: 'handles', key: ['handle_hash'] },
  { name: 'used_signatures', key: ['key_hash'] },
  {
    name: 'endpoints',
    key: ['row_id'],
    from: { sender: 'NULL' },
    sealed: { id: 'id', contextOf: endpointContext },
  },
  { name: 'digest_counts', key: ['row_id'] },
  // An endpoint's cursor is a row in SQLite and a place here.
  { name: 'events', key: ['row_id'], from: { place: 'row_id' } },
  { name: 'endpoint_attempts', key: ['row_id'] },
];

/** SQLite's own: PostgreSQL has its own. */
export const TABLES_NOT_COPIED: readonly string[] = ['meta', 'migrations', 'schema'];
