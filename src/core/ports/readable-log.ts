// The log as a command reads it: nothing is changed, and nothing is owned. Reading a file is synchronous; a server is
// awaited.

import type { CountedPage, CountOptions, Evidence, LogQuestion } from './log.ts';
import type { Refusal } from './records.ts';
import type { DeliveryQuery, LoggedDelivery } from './store.ts';

type Read<Result> = Result | Promise<Result>;

export interface ReadableLog {
  /** 32 bytes: the key of `Ids.fingerprint`. */
  readonly lookupKey: Uint8Array;
  findDeliveries(query: DeliveryQuery): Read<readonly LoggedDelivery[]>;
  /** As `LogReader` has them. */
  gather(question: LogQuestion): Read<Evidence>;
  countPage(options: CountOptions): Read<CountedPage>;
  readonly follow: Follow;
  close(): Read<void>;
}

/** For a reader that polls. */
export interface Follow {
  end(): Read<Place>;
  /** Up to `limit` of each, the oldest first. */
  after(place: Place, limit: number): Read<News>;
  /** The present state of earlier ones, without those that were pruned. */
  deliveries(rowIds: readonly number[]): Read<readonly FollowedDelivery[]>;
}

/** The newest row of each table. */
export interface Place {
  readonly delivery: number;
  readonly refusal: number;
}

export interface News {
  readonly deliveries: readonly FollowedDelivery[];
  readonly refusals: readonly Refusal[];
  readonly place: Place;
}

export interface FollowedDelivery {
  readonly rowId: number;
  readonly delivery: LoggedDelivery;
}
