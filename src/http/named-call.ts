// What a refused, repeated or ignored call named, as fingerprints: made from what its door knew when it ended, and only
// for such calls, since fingerprints take time.

import { handleKey } from '../core/devices/registry.ts';
import type { ServiceError } from '../core/errors.ts';
import type { Fault } from '../core/fault.ts';
import type { Ids } from '../core/ports/ids.ts';
import type { RefusedDelivery } from '../core/ports/observer.ts';
import { REPEATED } from '../core/ports/records.ts';
import { subjectHashOf } from '../core/subject.ts';
import { tokenKey } from '../core/target.ts';
import type { EndedDelivery, HttpContext, Named } from './context.ts';
import type { ClientAddressOf } from './limits/client-address.ts';

const MAX_FIELDS = 8;
/** Anything longer was not meant as a handle. */
const MAX_HANDLE_CHARACTERS = 64;
/** A caller's own field names may be anything, even a token: only names that look like ours are kept. */
const FIELD = /^[a-z][a-z_]{0,31}\d?(\.(\d{1,3}|[a-z][a-z_]{0,31}\d?)){0,4}$/;

export interface NamingParts {
  readonly ids: Ids;
  /** Absent if no proxy is trusted. */
  readonly clientAddressOf: ClientAddressOf | undefined;
}

/** The parts of the call without a delivery of their own: the call itself, or some of its devices. */
export function refusedDeliveries(
  parts: NamingParts,
  c: HttpContext,
  {
    refusal,
    ended,
  }: { readonly refusal: ServiceError | undefined; readonly ended: readonly EndedDelivery[] },
): readonly RefusedDelivery[] {
  const code = refusal?.code ?? c.get('ignoredFor');
  if (ended.length === 0) {
    return code === undefined ? [] : [{ ...nameCall(parts, c, { refusal }), code }];
  }
  return ended.flatMap(({ id, status, code: ownCode, recipient }): readonly RefusedDelivery[] => {
    const named = () => nameCall(parts, c, { refusal, recipient });
    if (status === REPEATED) return [{ ...named(), code: REPEATED, deliveryId: id }];
    return id === undefined && ownCode !== undefined ? [{ ...named(), code: ownCode }] : [];
  });
}

function nameCall(
  { ids, clientAddressOf }: NamingParts,
  c: HttpContext,
  {
    refusal,
    recipient = c.get('recipient'),
  }: { readonly refusal: ServiceError | undefined; readonly recipient?: Named | undefined },
): Omit<RefusedDelivery, 'code'> {
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
