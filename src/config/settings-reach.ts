// The settings that say where the service listens, what it writes to, and whom it reaches with which keys.

import { z } from 'zod';
import { duration, httpsOrigin, integer, listenAddress, port, text, webUrl } from './values.ts';

/** One environment variable. */
export interface Setting {
  readonly name: string;
  readonly group: string;
  readonly help: string;
  /** As it would be written; absent if there is none. */
  readonly defaultText?: string;
  readonly example?: string;
  /** Never printed. */
  readonly secret?: true;
  readonly schema: z.ZodType;
}

export const REACH_SETTINGS = {
  httpAddress: {
    name: 'NOTIFY_HTTP_ADDRESS',
    group: 'Listening',
    help: 'Where to listen, HOST:PORT or :PORT. Wins over PORT.',
    example: '0.0.0.0:8080',
    schema: listenAddress.optional(),
  },
  port: {
    name: 'PORT',
    group: 'Listening',
    help: 'The port to listen on, at every address.',
    defaultText: '8080',
    schema: port,
  },
  maxConnections: {
    name: 'NDS_MAX_CONNECTIONS',
    group: 'Listening',
    help: 'Open connections of callers; more are closed at once. Without it as many as the memory bears: some 6000 with 512 MB, at most 20000.',
    example: '10000',
    schema: integer(1, 1_000_000).optional(),
  },
  externalUrl: {
    name: 'NOTIFY_EXTERNAL_URL',
    group: 'Listening',
    help: 'The address under which callers and devices reach the service. Needed for invoice requests: the device replies there.',
    example: 'https://nds.example.com',
    schema: webUrl.optional(),
  },
  trustedAddressHeader: {
    name: 'NDS_TRUSTED_ADDRESS_HEADER',
    group: 'Listening',
    help: 'The header in which the proxy in front writes the client’s address (Fly: Fly-Client-IP); the last entry of a list counts. Without it no address is limited.',
    example: 'Fly-Client-IP',
    schema: z
      .string()
      .regex(/^[A-Za-z0-9-]{1,64}$/, 'must be a header name')
      .optional(),
  },
  database: {
    name: 'NDS_DATABASE',
    group: 'Log',
    help: 'The SQLite file of the log. Its folder is made if it is missing.',
    defaultText: './data/nds.sqlite',
    schema: text,
  },
  secret: {
    name: 'NDS_SECRET',
    group: 'Log',
    secret: true,
    help: 'What encrypts tokens and payloads in the log, 16 characters or more (try `openssl rand -base64 32`). Without it one is made once and kept beside the database.',
    schema: z.string().min(16, 'must have at least 16 characters').optional(),
  },
  previousSecrets: {
    name: 'NDS_SECRET_PREVIOUS',
    group: 'Log',
    secret: true,
    help: 'Earlier values of NDS_SECRET, separated by commas, until the next start has re-encrypted everything.',
    defaultText: '',
    schema: z.string().transform((value) => value.split(',').filter((part) => part !== '')),
  },
  retentionMs: {
    name: 'NDS_RETENTION',
    group: 'Log',
    help: 'How long settled deliveries stay in the log.',
    defaultText: '30d',
    schema: duration('1h', '3650d'),
  },
  apnsKey: {
    name: 'APNS_KEY',
    group: 'APNs',
    secret: true,
    help: 'The content of the .p8 file of an APNs authentication key (line breaks may be written as \\n).',
    schema: text.transform((value) => value.replaceAll('\\n', '\n')).optional(),
  },
  apnsKeyFile: {
    name: 'APNS_KEY_FILE',
    group: 'APNs',
    help: 'The path of the .p8 file, instead of APNS_KEY.',
    example: './AuthKey_ABC123DEFG.p8',
    schema: text.optional(),
  },
  apnsKeyId: {
    name: 'APNS_KEY_ID',
    group: 'APNs',
    help: 'The key’s 10-character id, as Apple’s developer account lists it.',
    example: 'ABC123DEFG',
    schema: z
      .string()
      .regex(/^[A-Z0-9]{10}$/, 'must be 10 capital letters and digits')
      .optional(),
  },
  apnsTeamId: {
    name: 'APNS_TEAM_ID',
    group: 'APNs',
    help: 'The 10-character id of the developer team.',
    example: 'DEF123GHIJ',
    schema: z
      .string()
      .regex(/^[A-Z0-9]{10}$/, 'must be 10 capital letters and digits')
      .optional(),
  },
  apnsTopic: {
    name: 'APNS_TOPIC',
    group: 'APNs',
    help: 'The app’s bundle id.',
    example: 'com.example.wallet',
    schema: z
      .string()
      .regex(/^[A-Za-z0-9.-]{1,155}$/, 'must be a bundle id')
      .optional(),
  },
  apnsEnvironment: {
    name: 'APNS_ENVIRONMENT',
    group: 'APNs',
    help: '`production` for apps from TestFlight and the App Store, `sandbox` for those that Xcode installed. Their tokens differ.',
    example: 'production',
    schema: z.enum(['production', 'sandbox'], 'must be production or sandbox').optional(),
  },
  apnsEndpoint: {
    name: 'APNS_ENDPOINT',
    group: 'APNs',
    help: 'Another address of APNs: port 2197 of Apple’s, a proxy, or the stand-in.',
    example: 'https://api.push.apple.com:2197',
    schema: httpsOrigin.optional(),
  },
  googleCredentialsJson: {
    name: 'GOOGLE_APPLICATION_CREDENTIALS_JSON',
    group: 'FCM',
    secret: true,
    help: 'The JSON of a Google service account that may send by FCM.',
    schema: text.optional(),
  },
  googleCredentialsFile: {
    name: 'GOOGLE_APPLICATION_CREDENTIALS',
    group: 'FCM',
    help: 'The path of that JSON file, instead of GOOGLE_APPLICATION_CREDENTIALS_JSON.',
    example: './service-account.json',
    schema: text.optional(),
  },
  googleProject: {
    name: 'GOOGLE_CLOUD_PROJECT',
    group: 'FCM',
    help: 'The Firebase project, if it is not the service account’s own.',
    example: 'my-wallet',
    schema: z
      .string()
      .regex(/^[a-z0-9.:-]{1,64}$/, 'must be a project id')
      .optional(),
  },
  fcmEndpoint: {
    name: 'FCM_ENDPOINT',
    group: 'FCM',
    help: 'Another address of FCM: a proxy, or the stand-in.',
    schema: httpsOrigin.optional(),
  },
  providerCaFile: {
    name: 'NDS_PROVIDER_CA_FILE',
    group: 'Providers',
    help: 'A PEM file of certificate authorities to trust at the providers beside the usual ones: for a proxy or the stand-ins.',
    schema: text.optional(),
  },
  appsFile: {
    name: 'NDS_APPS_FILE',
    group: 'Providers',
    help: 'A JSON file with further apps and their credentials; see docs/configuration.md.',
    example: './apps.json',
    schema: text.optional(),
  },
  maxInFlight: {
    name: 'NDS_MAX_IN_FLIGHT',
    group: 'Providers',
    help: 'Sends in flight at once, for each app and provider.',
    defaultText: '1000',
    schema: integer(1, 10_000),
  },
  maxQueued: {
    name: 'NDS_MAX_QUEUED',
    group: 'Providers',
    help: 'Deliveries that may wait in memory for a place in flight, for each app and provider; beyond, callers get 503.',
    defaultText: '20000',
    schema: integer(1, 1_000_000),
  },
  attemptTimeoutMs: {
    name: 'NDS_ATTEMPT_TIMEOUT',
    group: 'Providers',
    help: 'When one try at a provider ends; it can push no more then.',
    defaultText: '2s',
    schema: duration('100ms', '10s'),
  },
  sources: {
    name: 'NDS_SOURCES',
    group: 'Signed sources',
    secret: true,
    help: 'What signed callers need, as JSON: secrets, domains, generic sources; see docs/sources.',
    schema: text.optional(),
  },
  sourcesFile: {
    name: 'NDS_SOURCES_FILE',
    group: 'Signed sources',
    help: 'The path of that JSON, instead of NDS_SOURCES.',
    example: './sources.json',
    schema: text.optional(),
  },
} as const satisfies Record<string, Setting>;
