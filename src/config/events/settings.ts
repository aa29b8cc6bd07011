// The settings of events: endpoints, their networks and proxy, and the mail server.

import { z } from 'zod';
import { isEmailAddress } from '../../core/events/email-address.ts';
import { type Network, parseNetwork } from '../../endpoints/address.ts';
import { parseSmtpUrl, type SmtpServer } from '../../endpoints/mail/smtp-settings.ts';
import { egressProxy, onOrOff, text } from '../values.ts';

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

/** The message repeats nothing, because the URL may hold a password. */
const smtpUrl = z.string().transform((value, context): SmtpServer => {
  const server = parseSmtpUrl(value);
  if (server !== undefined) return server;
  context.addIssue(
    'must be smtp://host:port or smtps://host:port, with user:password@ before the host if needed (special characters as %40), and no more',
  );
  return z.NEVER;
});

export const EVENT_SETTINGS = {
  endpoints: {
    name: 'NDS_ENDPOINTS',
    group: 'Events',
    secret: true,
    help: 'Endpoints that receive events, as JSON; see docs/events.md. Others can be added by the API.',
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
  endpointProxy: {
    name: 'NDS_ENDPOINT_PROXY',
    group: 'Events',
    secret: true,
    help: 'A proxy, http://[user:password@]host:port, through which events go by CONNECT, except those to NDS_ENDPOINT_NETWORKS. HTTPS_PROXY is not used for events.',
    example: 'http://proxy.internal:3128',
    schema: egressProxy.optional(),
  },
  smtpServer: {
    name: 'NDS_SMTP_URL',
    group: 'Events',
    secret: true,
    help: 'The mail server for e-mail endpoints (docs/events.md). With smtp:// STARTTLS is required, smtps:// is TLS from the start. Needs NDS_SMTP_FROM.',
    example: 'smtp://user:password@mail.example.com:587',
    schema: smtpUrl.optional(),
  },
  smtpFrom: {
    name: 'NDS_SMTP_FROM',
    group: 'Events',
    help: 'The e-mail address that mails come from. Needs NDS_SMTP_URL.',
    example: 'nds@example.com',
    schema: z.string().refine(isEmailAddress, 'must be an e-mail address').optional(),
  },
  smtpStartTls: {
    name: 'NDS_SMTP_STARTTLS',
    group: 'Events',
    help: 'Whether smtp:// must be encrypted by STARTTLS. `off` sends mails and password in clear text: only for a mail server on the same machine.',
    defaultText: 'on',
    schema: onOrOff,
  },
} as const;
