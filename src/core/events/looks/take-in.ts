// Applies the stored state of an endpoint that several machines know: one of them sends to it, each may change it.

import { isDeepStrictEqual } from 'node:util';
import { ServiceError } from '../../errors.ts';
import type { StoredEndpoint } from '../../ports/events.ts';
import type { Outbox } from '../outbox.ts';

export function isEmail({ endpoint }: Pick<StoredEndpoint, 'endpoint'>): boolean {
  return endpoint.digest !== undefined;
}

export function refuseEmail(outbox: Outbox): Outbox {
  if (isEmail(outbox)) throw new ServiceError('email_endpoint');
  return outbox;
}

/** False if its outbox is of another kind. */
export function takeIn(outbox: Outbox, stored: StoredEndpoint): boolean {
  const { endpoint, progress, isSentElsewhere = false } = stored;
  if (isEmail(outbox) !== isEmail(stored)) return false;
  if (!isDeepStrictEqual(outbox.endpoint, endpoint)) {
    // The cursor of this machine may not be written yet. Alerts that were held back may be sent later.
    const isPassed = !isSentElsewhere && !isEmail(outbox);
    const cursor = isPassed ? Math.max(progress.cursor, outbox.progress.cursor) : progress.cursor;
    outbox.change({ endpoint, progress: { ...progress, cursor } });
  } else if (isSentElsewhere) outbox.follow(progress);
  return true;
}
