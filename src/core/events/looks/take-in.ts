// What the store has of an endpoint that several machines know: one of them sends to it, each may change it.

import { isDeepStrictEqual } from 'node:util';
import { ServiceError } from '../../errors.ts';
import type { StoredEndpoint } from '../../ports/events.ts';
import type { Lane } from '../lane-base.ts';

export function isEmail({ endpoint }: Pick<StoredEndpoint, 'endpoint'>): boolean {
  return endpoint.digest !== undefined;
}

export function refuseEmail(lane: Lane): Lane {
  if (isEmail(lane)) throw new ServiceError('email_endpoint');
  return lane;
}

/** False if its lane is of another kind. */
export function takeIn(lane: Lane, stored: StoredEndpoint): boolean {
  const { endpoint, progress, isSentElsewhere = false } = stored;
  if (isEmail(lane) !== isEmail(stored)) return false;
  if (!isDeepStrictEqual(lane.endpoint, endpoint)) {
    // The cursor of this machine may still be on its way into the store. Alerts that were held back may be sent later.
    const isPassed = !isSentElsewhere && !isEmail(lane);
    const cursor = isPassed ? Math.max(progress.cursor, lane.progress.cursor) : progress.cursor;
    lane.change({ endpoint, progress: { ...progress, cursor } });
  } else if (isSentElsewhere) lane.follow(progress);
  return true;
}
