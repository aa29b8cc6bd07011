// What the service reports about itself in its log: every event with its level and its fields. docs/logging.md lists
// this table.

import type { FieldName, Line } from './log-fields.ts';

const PROOF = ['app', 'provider', 'address', 'code', 'detail', 'remedy'] as const;

export const SPOKEN = {
  listening: {
    level: 'info',
    when: 'the service takes calls',
    fields: ['url', 'metrics_url', 'node_url'],
  },
  stopping: { level: 'info', when: 'the service got a signal to stop', fields: [] },
  can_reach_provider: {
    level: 'info',
    when: 'a provider was proven to accept the credentials',
    fields: PROOF,
  },
  cannot_judge_provider: {
    level: 'warn',
    when: 'the answer of a provider proves nothing',
    fields: PROOF,
  },
  cannot_reach_provider: {
    level: 'error',
    when: 'a provider refuses the credentials, or cannot be reached',
    fields: PROOF,
  },
  request_refused: {
    level: 'info',
    errorIf: 'status is 500',
    when: 'a call was refused',
    fields: ['request_id', 'method', 'route', 'code', 'status', 'cause'],
  },
  no_operator_socket: {
    level: 'warn',
    when: 'commands that change something cannot reach the service',
    fields: ['detail'],
  },
  operator_acted: {
    level: 'info',
    when: 'an operator changed something by the API or a command',
    fields: ['by', 'method', 'route'],
  },
  invalid_receipts: {
    level: 'info',
    when: 'receipts came with ids that are invalid or older than an hour; once a minute at most',
    fields: ['count'],
  },
  address_limited: {
    level: 'warn',
    when: 'an address called with too many unknown tokens or invalid receipts; once a minute at most',
    fields: ['count', 'limit'],
  },
  connections_refused: {
    level: 'error',
    when: 'there were too many connections; every 10 s at most',
    fields: ['count', 'max'],
  },
  reloaded: {
    level: 'info',
    when: 'the files of apps, keys, sources and endpoints were read again',
    fields: ['opened', 'closed', 'kept', 'needs_restart'],
  },
  reload_failed: {
    level: 'error',
    when: 'the files of a reload could not be used, and the old configuration stays in use',
    fields: ['faults'],
  },
  variable_ignored: {
    level: 'warn',
    when: 'a variable of breez/notify is set that has no effect here; once, at the start',
    fields: ['detail'],
  },
  open_files_few: {
    level: 'warn',
    when: 'the process may open fewer files than NDS_MAX_CONNECTIONS needs; once, at the start',
    fields: ['detail'],
  },
  secret_beside_database: {
    level: 'warn',
    when: 'NDS_SECRET is not set, and the secret is kept beside the database',
    fields: ['file', 'detail'],
  },
  key_rotated: {
    level: 'info',
    when: 'everything was encrypted again under a new secret',
    fields: ['resealed_rows'],
  },
  node_taken_over: {
    level: 'warn',
    when: 'another machine died; deliveries that it was sending may be sent by others now',
    fields: ['node', 'count'],
  },
  reply_not_forwarded: {
    level: 'warn',
    when: 'replies of devices did not reach the machine that waits for them; once a minute for each reason at most',
    fields: ['count', 'reason', 'remedy'],
  },
  store_worker_crashed: {
    level: 'error',
    when: 'a thread of the store died; the next operation starts another',
    fields: ['role', 'cause'],
  },
  machine_suspended: {
    level: 'warn',
    when: 'the machine was suspended; overdue deliveries are sent at once',
    fields: ['lost_ms'],
  },
  internal_fault: {
    level: 'error',
    when: 'an internal error ended the operation in which it occurred, or the process',
    fields: ['where', 'cause'],
  },
} as const satisfies Record<string, Line & { readonly fields: readonly FieldName[] }>;

export type SpokenName = keyof typeof SPOKEN;
type Spoken<Name extends SpokenName> = (typeof SPOKEN)[Name];

/** The levels that an event may have. */
export type SpokenLevel<Name extends SpokenName> =
  Spoken<Name> extends { errorIf: string }
    ? Spoken<Name>['level'] | 'error'
    : Spoken<Name>['level'];

export type SpokenFields<Name extends SpokenName> = {
  readonly [Field in Spoken<Name>['fields'][number]]?: unknown;
};
