// Whether events may go to the endpoints of the configuration: their addresses are looked up, and nothing is called.

import { endpointId } from '../core/events/configured.ts';
import type { ConfiguredEndpoint } from '../core/events/details.ts';
import { isEmailAddress } from '../core/events/email-address.ts';
import type { Clock } from '../core/ports/clock.ts';
import { createEventSender } from '../endpoints/event-sender.ts';
import type { Finding } from '../service/findings.ts';
import type { Prepared } from '../service/prepare.ts';

export async function checkEndpoints(
  { endpoints, config }: Pick<Prepared, 'endpoints' | 'config'>,
  clock: Clock,
): Promise<readonly Finding[]> {
  const { endpointNetworks: networks, endpointProxy: proxy } = config;
  const sender = createEventSender({ clock, networks, proxy });
  const look = async ({ name, url }: ConfiguredEndpoint): Promise<Finding> => {
    const check = `endpoint/${endpointId(name)}`;
    const fault = await sender.faultOf(url);
    if (fault === undefined) {
      return { check, code: 'endpoint_address_ok', text: 'events may go to its address' };
    }
    return { check, code: 'endpoint_address_refused', text: `its URL ${fault}` };
  };
  const called = endpoints.filter(({ url }) => !isEmailAddress(url));
  const findings = await Promise.all(called.map(look));
  sender.close();
  return findings;
}
