// The type of a caller for `nds trigger`: what it posts, how it signs, and which answers count as success.

import { createHash } from 'node:crypto';

/** A call, complete except for its URL. */
export interface TriggerCall {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  /** What `nds find` can find the push by; absent if only the delivery id can find it. */
  readonly subject?: string | undefined;
  /** What a reader has to know about this caller. */
  readonly note?: string | undefined;
}

export interface CallOptions {
  /** One of the caller's types. */
  readonly type: string;
  /** As the operator wrote it; the caller checks it first. */
  readonly secret: string;
  /** 64 hex digits that make this event different from others. */
  readonly id: string;
  readonly nowMs: number;
  /** The wallet's public key, for a caller that names users by it. */
  readonly user?: string | undefined;
}

export interface TriggerCaller {
  /** As the caller names them, the usual one first. */
  readonly types: readonly string[];
  /** The caller may name others, too. */
  readonly anyType?: true;
  /** What `--secret-file` contains; absent if the caller signs nothing. */
  readonly secret?: 'optional' | 'required' | undefined;
  /** The source whose secrets are in NDS_SOURCES. */
  readonly source?: string | undefined;
  /** Which answers the caller counts as success. */
  readonly succeeds: 'any 2xx' | 'exactly 200';
  readonly call: (options: CallOptions) => TriggerCall;
}

/** The message repeats no value. */
export class TriggerError extends Error {
  override readonly name = 'TriggerError';
}

export const JSON_TYPE = { 'content-type': 'application/json' };

export function hash(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
