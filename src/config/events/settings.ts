// The settings of what the vendor's backend is told: endpoints, and networks of one's own that they may be in.

import { z } from 'zod';
import { type Network, parseNetwork } from '../../endpoints/address.ts';
import { text } from '../values.ts';

const MAX_NETWORKS = 32;

const networks = z.string().transform((value, context): readonly Network[] => {
  const parts = value
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '');
  const parsed = parts.map(parseNetwork).filter((network) => network !== undefined);
  if (parsed.length === parts.length && parts.length <= MAX_NETWORKS) return parsed;
  context.addIssue('must be a list of networks such as 10.0.0.0/8,fd00::/8');
  return z.NEVER;
});

export const EVENT_SETTINGS = {
  endpoints: {
    name: 'NDS_ENDPOINTS',
    group: 'Events',
    secret: true,
    help: 'Endpoints that the vendor’s backend is told events at, as JSON; see docs/events.md. Others can be added by the API.',
    schema: text.optional(),
  },
  endpointsFile: {
    name: 'NDS_ENDPOINTS_FILE',
    group: 'Events',
    help: 'The path of that JSON, instead of NDS_ENDPOINTS.',
    example: './endpoints.json',
    schema: text.optional(),
  },
  endpointNetworks: {
    name: 'NDS_ENDPOINT_NETWORKS',
    group: 'Events',
    help: 'Networks of your own that endpoints may be in, also by http, as CIDRs separated by commas. All others must be https and on the public internet.',
    defaultText: '',
    example: '10.0.0.0/8,fd00::/8',
    schema: networks,
  },
} as const;
