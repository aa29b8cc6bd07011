// The configuration: one table of environment variables from which parsing, defaults, help, .env.example
// and docs/configuration.md all come. Every fault is reported at once, with what to do about it.

import { z } from 'zod';
import {
  appKeyList,
  duration,
  httpsUrl,
  integer,
  keyList,
  lifetimes,
  onOrOff,
  port,
  rate,
  text,
  titles,
  webUrl,
} from './config-values.ts';

/** One environment variable. */
export interface Setting {
  readonly name: string;
  /** Older or foreign names that mean the same, tried in order after `name`. */
  readonly aliases?: readonly string[];
  readonly group: string;
  readonly help: string;
  /** As it would be written; absent if there is none. */
  readonly defaultText?: string;
  readonly example?: string;
  /** Never printed. */
  readonly secret?: true;
  readonly schema: z.ZodType;
}

const SETTINGS_BY_KEY = {
  httpAddress: {
    name: 'NOTIFY_HTTP_ADDRESS',
    group: 'Listening',
    help: 'Where to listen, HOST:PORT or :PORT. Wins over PORT.',
    example: '0.0.0.0:8080',
    schema: z
      .string()
      .regex(/^(\[[0-9a-f:]+\]|[^:\s]*):\d{1,5}$/i, 'must be HOST:PORT or :PORT')
      .optional(),
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
    help: 'Open connections of callers; more are refused by the kernel.',
    defaultText: '20000',
    schema: integer(1, 1_000_000),
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
    help: 'The header in which the proxy in front tells the client’s address (Fly: Fly-Client-IP). Without it no address is limited.',
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
    schema: httpsUrl.optional(),
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
    schema: httpsUrl.optional(),
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
  answerDeadlineMs: {
    name: 'NDS_ANSWER_DEADLINE',
    group: 'Answers',
    help: 'When a caller is answered at the latest.',
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
    help: 'Callers that may wait for a device’s reply at once.',
    defaultText: '10000',
    schema: integer(1, 1_000_000),
  },
  lifetimesMs: {
    name: 'NDS_LIFETIMES',
    group: 'Notifications',
    help: 'Lifetimes that differ from the built-in ones, by type.',
    defaultText: '',
    example: 'payment_received=60s,swap_updated=24h',
    schema: lifetimes,
  },
  titles: {
    name: 'NDS_TITLES',
    group: 'Notifications',
    help: 'Titles that differ from the built-in ones, by type, as JSON.',
    defaultText: '{}',
    example: '{"payment_received":"Zahlung kommt an"}',
    schema: titles,
  },
  quarantineMs: {
    name: 'NDS_QUARANTINE',
    group: 'Limits',
    help: 'How long a dead token is refused without asking the provider.',
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
    help: 'Refused requests of one address, BURST/PER_SECOND; needs NDS_TRUSTED_ADDRESS_HEADER.',
    defaultText: '300/5',
    schema: rate,
  },
  tokenForm: {
    name: 'NDS_TOKEN_FORM',
    group: 'Devices',
    help: 'Whether callers may put the push token itself into the URL; `off` once all wallets have handles.',
    defaultText: 'on',
    schema: onOrOff,
  },
  backendKeys: {
    name: 'NDS_BACKEND_KEYS',
    group: 'Devices',
    secret: true,
    help: 'Bearer tokens of the vendor’s backend, separated by commas (several during a rotation), 16 characters or more each. They may register, read, change and delete every device. Needs NDS_SECRET.',
    defaultText: '',
    schema: keyList,
  },
  appKeys: {
    name: 'NDS_APP_KEYS',
    group: 'Devices',
    secret: true,
    help: 'Bearer tokens that ship inside apps, as APP=KEY separated by commas. They may only register. Needs NDS_SECRET.',
    defaultText: '',
    schema: appKeyList,
  },
  selfRegistration: {
    name: 'NDS_SELF_REGISTRATION',
    group: 'Devices',
    help: 'Whether a wallet may register itself by a signed message. Needs NDS_SECRET and NOTIFY_EXTERNAL_URL.',
    defaultText: 'off',
    schema: onOrOff,
  },
  registrationRate: {
    name: 'NDS_REGISTRATION_RATE',
    group: 'Devices',
    help: 'Registrations by app keys and by wallets themselves, for each app, BURST/PER_SECOND.',
    defaultText: '500/50',
    schema: rate,
  },
  maxDevicesPerUser: {
    name: 'NDS_MAX_DEVICES_PER_USER',
    group: 'Devices',
    help: 'Devices that one user of an app may have.',
    defaultText: '50',
    schema: integer(1, 1_000),
  },
  maxDevices: {
    name: 'NDS_MAX_DEVICES',
    group: 'Devices',
    help: 'Devices in all.',
    defaultText: '1000000',
    schema: integer(1, 100_000_000),
  },
  deviceDeadMs: {
    name: 'NDS_DEVICE_DEAD_AFTER',
    group: 'Devices',
    help: 'When a device whose token is dead is deleted.',
    defaultText: '60d',
    schema: duration('1d', '3650d'),
  },
  deviceUnseenMs: {
    name: 'NDS_DEVICE_UNSEEN_AFTER',
    group: 'Devices',
    help: 'When a device is deleted that neither registered nor took a push.',
    defaultText: '365d',
    schema: duration('1d', '3650d'),
  },
  graceMs: {
    name: 'NDS_GRACE',
    group: 'Stopping',
    help: 'How long sends in flight may take to end when the service stops.',
    defaultText: '5s',
    schema: duration('0ms', '25s'),
  },
  logLevel: {
    name: 'NDS_LOG_LEVEL',
    group: 'Output',
    help: '`info` writes every delivery, `warn` only what needs a look.',
    defaultText: 'info',
    schema: z.enum(['debug', 'info', 'warn', 'error'], 'must be debug, info, warn or error'),
  },
} as const satisfies Record<string, Setting>;

type SettingKey = keyof typeof SETTINGS_BY_KEY;

export type Config = {
  readonly [Key in SettingKey]: z.output<(typeof SETTINGS_BY_KEY)[Key]['schema']>;
};

/** In the order of the documentation. */
export const SETTINGS: readonly Setting[] = Object.values(SETTINGS_BY_KEY);

/** Everything that is wrong with the configuration, for one message. */
export class ConfigError extends Error {
  readonly faults: readonly string[];

  constructor(faults: readonly string[]) {
    const list = faults.map((fault) => `  - ${fault}`).join('\n');
    super(
      `The configuration has ${faults.length === 1 ? 'a fault' : `${faults.length} faults`}:\n${list}`,
    );
    this.name = 'ConfigError';
    this.faults = faults;
  }
}

export type Environment = Readonly<Record<string, string | undefined>>;

/** What could be read of the environment, and every fault; values of secrets are not repeated. */
export function readSettings(environment: Environment): {
  readonly values: Partial<Config>;
  readonly faults: readonly string[];
} {
  const faults: string[] = [];
  const values: Record<string, unknown> = {};
  for (const [key, setting] of Object.entries<Setting>(SETTINGS_BY_KEY)) {
    const raw = environment[setting.name]?.trim() || setting.defaultText;
    const parsed = setting.schema.safeParse(raw);
    if (parsed.success) values[key] = parsed.data;
    else faults.push(`${setting.name} ${parsed.error.issues[0]?.message ?? 'is not valid'}`);
  }
  return { values, faults };
}

/** The whole configuration. Throws a `ConfigError` with every fault. */
export function parseConfig(environment: Environment): Config {
  const { values, faults } = readSettings(environment);
  if (isComplete(values, faults)) return values;
  throw new ConfigError(faults);
}

/** Every setting was read by its own schema, so without faults the values are those of `Config`. */
export function isComplete(values: Partial<Config>, faults: readonly string[]): values is Config {
  return faults.length === 0 && Object.keys(SETTINGS_BY_KEY).every((key) => key in values);
}
