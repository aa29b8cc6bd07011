// Whom a call named that was refused, that repeated another or that was ignored, by fingerprint: made from what its
// door learnt before it ended, and only for such calls, since fingerprints take time.

import { handleKey } from '../core/devices/registry.ts';
import type { Fault, ServiceError } from '../core/errors.ts';
import type { Ids } from '../core/ports/ids.ts';
import type { ObservedCall } from '../core/ports/observer.ts';
import { subjectHashOf } from '../core/subject.ts';
import { tokenKey } from '../core/target.ts';
import type { HttpContext } from './context.ts';
import type { ClientAddressOf } from './limits/client-address.ts';

const MAX_FIELDS = 8;
/** A handle is what it is by its form; anything longer is no attempt at one. */
const MAX_HANDLE_CHARACTERS = 64;
/** The callers' own names may be anything, a token as well: only what looks like a field of ours is kept. */
const FIELD = /^[a-z][a-z_]{0,31}\d?(\.(\d{1,3}|[a-z][a-z_]{0,31}\d?)){0,4}$/;

export interface NamingParts {
  readonly ids: Ids;
  /** Absent where no proxy is trusted. */
  readonly clientAddressOf: ClientAddressOf | undefined;
}

export function nameCall(
  { ids, clientAddressOf }: NamingParts,
  c: HttpContext,
  refusal: ServiceError | undefined,
): ObservedCall {
  const recipient = c.get('recipient');
  const handle = c.get('handle');
  const subject = c.get('subject');
  const { incoming } = c.env;
  const address = clientAddressOf?.(incoming) ?? incoming.socket.remoteAddress;
  const isUnknownHandle =
    recipient === undefined &&
    handle !== undefined &&
    handle.handle.length <= MAX_HANDLE_CHARACTERS;
  return {
    limit: refusal?.details.limit,
    tokenHash: recipient && ids.fingerprint(tokenKey(recipient.target)),
    handleHash: isUnknownHandle
      ? ids.fingerprint(handleKey(handle.door, handle.handle))
      : undefined,
    subjectHash: subject === undefined ? undefined : subjectHashOf(ids.fingerprint, subject),
    deviceId: recipient?.deviceId,
    fields: fieldsOf(refusal?.details.faults ?? []),
    nodeId: c.get('nodeId'),
    addressHash: address === undefined ? undefined : ids.fingerprint(`address\n${address}`),
    deliveryId: refusal?.details.deliveryId,
    hasDomain: c.get('hasDomain') === true,
  };
}

function fieldsOf(faults: readonly Fault[]): string | undefined {
  const names = faults.slice(0, MAX_FIELDS).map(({ field }) => (FIELD.test(field) ? field : '?'));
  return names.length === 0 ? undefined : [...new Set(names)].join(',');
}
