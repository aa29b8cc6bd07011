// What a caller is to `nds trigger`: what it posts, how it signs, what it takes for a success.

import { createHash } from 'node:crypto';

/** A call that only lacks its URL. */
export interface TriggerCall {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  /** What `nds find` finds the push by; absent if it has nothing but its delivery id. */
  readonly subject?: string | undefined;
  /** What its receiver has to know of this caller. */
  readonly note?: string | undefined;
}

export interface CallOptions {
  /** One of the caller's types. */
  readonly type: string;
  /** As the operator wrote it; the caller's own check comes first. */
  readonly secret: string;
  /** 64 hex digits that tell this event from others. */
  readonly id: string;
  readonly nowMs: number;
  /** The wallet's public key, for the caller that names users. */
  readonly user?: string | undefined;
}

export interface TriggerCaller {
  /** As it names them, the usual one first. */
  readonly types: readonly string[];
  /** It may name others, too. */
  readonly anyType?: true;
  /** What `--secret-file` holds; absent if the caller signs nothing. */
  readonly secret?: 'optional' | 'required' | undefined;
  /** The source whose secrets are in NDS_SOURCES. */
  readonly source?: string | undefined;
  /** What it takes for a success. */
  readonly succeeds: 'any 2xx' | 'exactly 200';
  readonly call: (options: CallOptions) => TriggerCall;
}

/** The message repeats nothing. */
export class TriggerError extends Error {
  override readonly name = 'TriggerError';
}

export const JSON_TYPE = { 'content-type': 'application/json' };

export function hash(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
