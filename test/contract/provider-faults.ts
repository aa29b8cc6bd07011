// Faults of a single request as the stand-ins can perform them, and what each means.

import { expect } from 'vitest';
import type { Fault } from '../../sandbox/faults.ts';

export const delivered = expect.objectContaining({ kind: 'delivered' });

export function retry(certainty: string, reason: string) {
  return { kind: 'retry', certainty, reason };
}

/** Faults of a single request, what they mean, and whether the connection survives. */
export const FAULTS: readonly [string, Fault, unknown, 'same' | 'fresh'][] = [
  [
    'a refused stream',
    { kind: 'refused_stream' },
    retry('not_processed', 'refused_stream'),
    'same',
  ],
  [
    'a reset stream',
    { kind: 'reset', scope: 'stream' },
    retry('unanswered', 'stream_reset'),
    'same',
  ],
  [
    'a reset stream whose push was taken',
    { kind: 'reset', scope: 'stream', accepted: true },
    retry('unanswered', 'stream_reset'),
    'same',
  ],
  [
    'a reset connection',
    { kind: 'reset', scope: 'connection' },
    retry('uncertain', 'connection_lost'),
    'fresh',
  ],
  ['a GOAWAY that covers the stream', { kind: 'goaway' }, delivered, 'fresh'],
  [
    'a GOAWAY below the stream',
    { kind: 'goaway', processed: false },
    retry('not_processed', 'goaway'),
    'fresh',
  ],
  // Node's client ends every stream at such a GOAWAY (decision 5), so the push is tried once more with the same id.
  [
    'a GOAWAY with an error',
    { kind: 'goaway', code: 2 },
    retry('uncertain', 'connection_lost'),
    'fresh',
  ],
  [
    'a GOAWAY with an error below the stream',
    { kind: 'goaway', code: 11, processed: false },
    retry('not_processed', 'goaway'),
    'fresh',
  ],
  ['an HTML page with 502', { kind: 'html' }, retry('answered', 'status_502'), 'same'],
  ['an HTML page with 504', { kind: 'html', status: 504 }, retry('answered', 'status_504'), 'same'],
  ['an empty 503', { kind: 'empty' }, retry('answered', 'status_503'), 'same'],
  [
    'an empty 503 with Retry-After',
    { kind: 'empty', retryAfterSeconds: 7 },
    { ...retry('answered', 'status_503'), retryAfterMs: 7_000 },
    'same',
  ],
  [
    'JSON that breaks off after 500',
    { kind: 'bad_json', status: 500 },
    retry('answered', 'status_500'),
    'same',
  ],
];
