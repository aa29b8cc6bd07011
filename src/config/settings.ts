// The table of settings from which parsing, defaults, help, .env.example and docs/configuration.md come.

import { z } from 'zod';
import {
  APNS_SETTINGS,
  APP_SETTINGS,
  FCM_SETTINGS,
  SOURCE_SETTINGS,
} from './credential-settings.ts';
import { API_SETTINGS, DEVICE_SETTINGS } from './device-settings.ts';
import { EVENT_SETTINGS } from './events/settings.ts';
import { OUTPUT_SETTINGS } from './output-settings.ts';
import { titles } from './titles.ts';
import {
  database,
  duration,
  integer,
  lifetimes,
  listenAddress,
  port,
  rate,
  secret,
  secretList,
  webUrl,
} from './values.ts';

/** One environment variable. */
export interface Setting {
  readonly name: string;
  readonly group: string;
  readonly help: string;
  /** As an operator would write it; absent if there is none. */
  readonly defaultText?: string;
  readonly example?: string;
  /** Never printed. */
  readonly secret?: true;
  readonly schema: z.ZodType;
}

/** By the name in the code, in the order of the documentation. */
export const SETTINGS_BY_KEY = {
  httpAddress: {
    name: 'NOTIFY_HTTP_ADDRESS',
    group: 'Listening',
    help: 'Where to listen, HOST:PORT or :PORT. Takes precedence over PORT.',
    example: '0.0.0.0:8080',
    schema: listenAddress.optional(),
  },
  port: {
    name: 'PORT',
    group: 'Listening',
    help: 'The port to listen on, at all addresses of the machine.',
    defaultText: '8080',
    schema: port,
  },
  metricsAddress: {
    name: 'NDS_METRICS_ADDRESS',
    group: 'Listening',
    help: 'Where Prometheus reads metrics, HOST:PORT or :PORT; a port that the internet cannot reach. Without it there are none.',
    example: ':9091',
    schema: listenAddress.optional(),
  },
  nodeAddress: {
    name: 'NDS_NODE_ADDRESS',
    group: 'Listening',
    help: 'Where this machine listens for the others that share its PostgreSQL, HOST:PORT; a private address that the internet cannot reach and they can. With :PORT the others use the address by which this machine reaches the database. Without it a device’s reply must come to the machine that waits for it.',
    example: ':9092',
    schema: listenAddress.optional(),
  },
  maxConnections: {
    name: 'NDS_MAX_CONNECTIONS',
    group: 'Listening',
    help: 'How many connections callers may have open. A new one then closes the one that was idle longest; docs/operating.md has values by size of machine.',
    defaultText: '5000',
    schema: integer(1, 1_000_000),
  },
  externalUrl: {
    name: 'NOTIFY_EXTERNAL_URL',
    group: 'Listening',
    help: 'The public URL of the service. Needed for invoice requests, because the device replies there, and for registered devices.',
    example: 'https://nds.example.com',
    schema: webUrl.optional(),
  },
  trustedAddressHeader: {
    name: 'NDS_TRUSTED_ADDRESS_HEADER',
    group: 'Listening',
    help: 'The header in which the proxy in front writes the caller’s address (Fly: Fly-Client-IP); the last entry of a list counts. Without it NDS_ADDRESS_RATE has no effect.',
    example: 'Fly-Client-IP',
    schema: z
      .string()
      .regex(/^[A-Za-z0-9-]{1,64}$/, 'must be a header name')
      .optional(),
  },
  database: {
    name: 'NDS_DATABASE',
    group: 'Log',
    help: 'The SQLite file of the log; its folder is created if it is missing. Or postgres://user:password@host:port/database, which several machines can share.',
    defaultText: './data/nds.sqlite',
    schema: database,
  },
  secret: {
    name: 'NDS_SECRET',
    group: 'Log',
    secret: true,
    help: 'Encrypts tokens and payloads in the log; 16 characters or more, no commas (try `openssl rand -base64 32`). Without it a secret is created and kept beside the database.',
    schema: secret.optional(),
  },
  previousSecrets: {
    name: 'NDS_SECRET_PREVIOUS',
    group: 'Log',
    secret: true,
    help: 'Earlier values of NDS_SECRET, separated by commas, until the next start has re-encrypted everything.',
    defaultText: '',
    schema: secretList,
  },
  retentionMs: {
    name: 'NDS_RETENTION',
    group: 'Log',
    help: 'How long ended deliveries stay in the log.',
    defaultText: '30d',
    schema: duration('1h', '3650d'),
  },
  ...APNS_SETTINGS,
  ...FCM_SETTINGS,
  ...APP_SETTINGS,
  maxInFlight: {
    name: 'NDS_MAX_IN_FLIGHT',
    group: 'Providers',
    help: 'How many pushes may be in flight at once, for each app and provider.',
    defaultText: '1000',
    schema: integer(1, 10_000),
  },
  maxQueued: {
    name: 'NDS_MAX_QUEUED',
    group: 'Providers',
    help: 'How many deliveries may wait in memory for NDS_MAX_IN_FLIGHT, for each app and provider. Above that callers get 503.',
    defaultText: '20000',
    schema: integer(1, 1_000_000),
  },
  attemptTimeoutMs: {
    name: 'NDS_ATTEMPT_TIMEOUT',
    group: 'Providers',
    help: 'How long one attempt at a provider may take before the next step is decided. An answer that comes up to 10 s later still counts.',
    defaultText: '2s',
    schema: duration('100ms', '10s'),
  },
  ...SOURCE_SETTINGS,
  answerDeadlineMs: {
    name: 'NDS_ANSWER_DEADLINE',
    group: 'Answers',
    help: 'The longest time until a caller is answered.',
    defaultText: '5s',
    schema: duration('500ms', '25s'),
  },
  replyDeadlineMs: {
    name: 'NDS_REPLY_DEADLINE',
    group: 'Answers',
    help: 'How long an invoice request waits for the device; Boltz gives up after 60s.',
    defaultText: '50s',
    schema: duration('1s', '10m'),
  },
  maxReplyWaits: {
    name: 'NDS_MAX_REPLY_WAITS',
    group: 'Answers',
    help: 'How many callers may wait for a device’s reply at once.',
    defaultText: '10000',
    schema: integer(1, 1_000_000),
  },
  lifetimesMs: {
    name: 'NDS_LIFETIMES',
    group: 'Notifications',
    help: 'Lifetimes by type that replace the built-in ones.',
    defaultText: '',
    example: 'payment_received=60s,swap_updated=24h',
    schema: lifetimes,
  },
  titles: {
    name: 'NDS_TITLES',
    group: 'Notifications',
    help: 'Titles by type that replace the built-in ones, as JSON: one text, texts by language, or a `loc_key` of the app.',
    defaultText: '{}',
    example: '{"payment_received":"Zahlung kommt an"}',
    schema: titles,
  },
  quarantineMs: {
    name: 'NDS_QUARANTINE',
    group: 'Limits',
    help: 'How long a call for a dead token is refused without asking the provider.',
    defaultText: '24h',
    schema: duration('1m', '365d'),
  },
  tokenRate: {
    name: 'NDS_TOKEN_RATE',
    group: 'Limits',
    help: 'Notifications for one token, BURST/PER_SECOND.',
    defaultText: '120/2',
    schema: rate,
  },
  globalRate: {
    name: 'NDS_GLOBAL_RATE',
    group: 'Limits',
    help: 'Notifications in all, BURST/PER_SECOND.',
    defaultText: '50000/10000',
    schema: rate,
  },
  addressRate: {
    name: 'NDS_ADDRESS_RATE',
    group: 'Limits',
    help: 'Calls from one address with unknown push tokens that the provider refuses, BURST/PER_SECOND; needs NDS_TRUSTED_ADDRESS_HEADER.',
    defaultText: '300/5',
    schema: rate,
  },
  remembered: {
    name: 'NDS_REMEMBERED',
    group: 'Limits',
    help: 'How many duplicate keys, quarantined tokens and tokens with a rate are kept in memory, each kind on its own.',
    defaultText: '50000',
    schema: integer(1_000, 10_000_000),
  },
  ...DEVICE_SETTINGS,
  ...API_SETTINGS,
  ...EVENT_SETTINGS,
  drainMs: {
    name: 'NDS_DRAIN',
    group: 'Stopping',
    help: 'How long the service keeps accepting calls after a stop begins, so that proxies notice. Callers waiting for a device’s reply may then wait up to NDS_REPLY_DEADLINE; NDS_GRACE starts after that. Default: 10s with PostgreSQL, otherwise 0s, which also ends those waits.',
    schema: duration('0ms', '60s').optional(),
  },
  graceMs: {
    name: 'NDS_GRACE',
    group: 'Stopping',
    help: 'How long pushes in flight may take to end when the service stops.',
    defaultText: '5s',
    schema: duration('0ms', '25s'),
  },
  ...OUTPUT_SETTINGS,
} as const satisfies Record<string, Setting>;

export type SettingKey = keyof typeof SETTINGS_BY_KEY;

export type Config = {
  readonly [Key in SettingKey]: z.output<(typeof SETTINGS_BY_KEY)[Key]['schema']>;
};

export const SETTINGS: readonly Setting[] = Object.values(SETTINGS_BY_KEY);
