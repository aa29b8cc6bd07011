// The fields of an endpoint when it is registered or changed, and which of them do not fit together.

import { ServiceError } from '../errors.ts';
import type { Fault } from '../fault.ts';
import type { DigestPeriod, Endpoint } from '../ports/events.ts';
import { isEmailAddress } from './email-address.ts';

export interface EndpointDetails {
  /** An https URL, or an e-mail address. */
  readonly url: string;
  /** Of an e-mail address only; daily if absent. */
  readonly digest?: DigestPeriod | undefined;
  readonly enabledEvents: readonly string[];
  readonly app?: string | undefined;
  readonly description?: string | undefined;
}

export type EndpointChanges = Partial<EndpointDetails> & {
  readonly status?: Endpoint['status'] | undefined;
};

/** An endpoint of the configuration. */
export interface ConfiguredEndpoint extends EndpointDetails {
  readonly name: string;
  /** An e-mail endpoint has none. */
  readonly secret?: string | undefined;
}

/** Checks the address of a new or changed endpoint; the messages do not repeat it. */
export interface AddressJudges {
  readonly sender: { faultOf(url: string): Promise<string | undefined> };
  readonly mail: { readonly fault: string | undefined };
}

/** Throws `bad_body`. An endpoint stays what it is: `earlier` is the one that is changed. */
export async function checkDetails(
  { url, digest }: Partial<EndpointDetails>,
  { sender, mail }: AddressJudges,
  earlier?: Endpoint,
): Promise<void> {
  const isEmail = isEmailAddress(url ?? earlier?.url ?? '');
  if (digest !== undefined && !isEmail) refuse('digest', 'is for an e-mail address only');
  if (url === undefined) return;
  if (earlier !== undefined && isEmail !== (earlier.digest !== undefined)) {
    const kind = isEmail ? 'an https URL' : 'an e-mail address';
    refuse('url', `must stay ${kind}: add another endpoint`);
  }
  const fault = isEmail ? mail.fault : await sender.faultOf(url);
  if (fault !== undefined) refuse(isEmail ? 'email' : 'url', fault);
}

/** The digest of an endpoint with this address; an https URL has none. */
export function digestOf({ url, digest = 'daily' }: EndpointDetails): DigestPeriod | undefined {
  return isEmailAddress(url) ? digest : undefined;
}

function refuse(field: Fault['field'], message: string): never {
  throw new ServiceError('bad_body', { faults: [{ field, message }] });
}
