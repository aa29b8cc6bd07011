// The vendor's apps and their credentials: `default` from plain variables, others from a JSON file.
// Every fault of every app is reported at once.

import { z } from 'zod';
import { MAX_APP_NAME_CHARACTERS } from '../core/target.ts';
import type { Config } from './config.ts';
import { readNamedText } from './files.ts';

export const DEFAULT_APP = 'default';

const APPLE = {
  production: 'https://api.push.apple.com',
  sandbox: 'https://api.sandbox.push.apple.com',
} as const;
const GOOGLE = 'https://fcm.googleapis.com';

export interface ApnsCredentials {
  /** PEM of the .p8 file. */
  readonly key: string;
  readonly keyId: string;
  readonly teamId: string;
  readonly topic: string;
  readonly environment: 'production' | 'sandbox';
  readonly endpoint: string;
}

export interface FcmCredentials {
  /** The parsed JSON of a service account or of another kind that google-auth-library knows. */
  readonly credentials: Readonly<Record<string, unknown>>;
  readonly projectId: string;
  readonly endpoint: string;
}

export interface AppCredentials {
  readonly name: string;
  readonly apns?: ApnsCredentials;
  readonly fcm?: FcmCredentials;
}

const appName = z
  .string()
  .regex(/^[A-Za-z0-9._-]+$/)
  .max(MAX_APP_NAME_CHARACTERS);
const appsFile = z.record(
  appName,
  z.strictObject({
    apns: z
      .strictObject({
        key_file: z.string().optional(),
        key: z.string().optional(),
        key_id: z.string().regex(/^[A-Z0-9]{10}$/),
        team_id: z.string().regex(/^[A-Z0-9]{10}$/),
        topic: z.string().min(1),
        environment: z.enum(['production', 'sandbox']),
        endpoint: z.url({ protocol: /^https$/ }).optional(),
      })
      .optional(),
    fcm: z
      .strictObject({
        credentials_file: z.string().optional(),
        credentials: z.record(z.string(), z.unknown()).optional(),
        project: z.string().optional(),
        endpoint: z.url({ protocol: /^https$/ }).optional(),
      })
      .optional(),
  }),
);

/** What of the configuration names credentials; any of it may be missing or was faulty. */
type Given = Partial<Config>;

/** Reads the credentials of all apps and adds what is wrong to `faults`. */
export function loadApps(config: Given, faults: string[]): readonly AppCredentials[] {
  const before = faults.length;
  const fallback = defaultApp(config, faults);
  const others = config.appsFile === undefined ? [] : namedApps(config.appsFile, faults);
  const apps = [...(fallback === undefined ? [] : [fallback]), ...others];
  if (apps.length === 0 && faults.length === before) {
    faults.push(
      'No provider is configured. For APNs set APNS_KEY_FILE, APNS_KEY_ID, APNS_TEAM_ID, APNS_TOPIC and APNS_ENVIRONMENT; for FCM set GOOGLE_APPLICATION_CREDENTIALS or GOOGLE_APPLICATION_CREDENTIALS_JSON. To try the service without accounts run `npm run demo`.',
    );
  }
  return apps;
}

function defaultApp(config: Given, faults: string[]): AppCredentials | undefined {
  const apns = defaultApns(config, faults);
  const fcm = defaultFcm(config, faults);
  if (apns === undefined && fcm === undefined) return undefined;
  return {
    name: DEFAULT_APP,
    ...(apns === undefined ? {} : { apns }),
    ...(fcm === undefined ? {} : { fcm }),
  };
}

function defaultApns(config: Given, faults: string[]): ApnsCredentials | undefined {
  const { apnsKeyId, apnsTeamId, apnsTopic, apnsEnvironment } = config;
  const hasKey = config.apnsKey !== undefined || config.apnsKeyFile !== undefined;
  const others = [apnsKeyId, apnsTeamId, apnsTopic, apnsEnvironment];
  if (!hasKey && others.every((value) => value === undefined)) return undefined;
  const missing = [
    ...(hasKey ? [] : ['APNS_KEY_FILE (or APNS_KEY)']),
    ...(apnsKeyId === undefined ? ['APNS_KEY_ID'] : []),
    ...(apnsTeamId === undefined ? ['APNS_TEAM_ID'] : []),
    ...(apnsTopic === undefined ? ['APNS_TOPIC'] : []),
    ...(apnsEnvironment === undefined ? ['APNS_ENVIRONMENT (production or sandbox)'] : []),
  ];
  if (missing.length > 0) faults.push(`APNs is configured in part; also set ${missing.join(', ')}`);
  const key =
    config.apnsKey ??
    (config.apnsKeyFile === undefined
      ? undefined
      : readNamedText(
          { name: 'APNS_KEY_FILE', path: config.apnsKeyFile, forContent: 'use APNS_KEY' },
          faults,
        ));
  if (
    key === undefined ||
    apnsKeyId === undefined ||
    apnsTeamId === undefined ||
    apnsTopic === undefined ||
    apnsEnvironment === undefined
  ) {
    return undefined;
  }
  return {
    key,
    keyId: apnsKeyId,
    teamId: apnsTeamId,
    topic: apnsTopic,
    environment: apnsEnvironment,
    endpoint: config.apnsEndpoint ?? APPLE[apnsEnvironment],
  };
}

function defaultFcm(config: Given, faults: string[]): FcmCredentials | undefined {
  const { googleCredentialsJson, googleCredentialsFile, googleProject } = config;
  const endpoint = config.fcmEndpoint ?? GOOGLE;
  if (googleCredentialsJson !== undefined) {
    const source = 'GOOGLE_APPLICATION_CREDENTIALS_JSON';
    return fcmFrom(
      { source, text: googleCredentialsJson, project: googleProject, endpoint },
      faults,
    );
  }
  if (googleCredentialsFile === undefined) return undefined;
  const source = 'GOOGLE_APPLICATION_CREDENTIALS';
  const forContent = 'use GOOGLE_APPLICATION_CREDENTIALS_JSON';
  const text = readNamedText({ name: source, path: googleCredentialsFile, forContent }, faults);
  if (text === undefined) return undefined;
  return fcmFrom({ source, text, project: googleProject, endpoint }, faults);
}

interface FcmInput {
  readonly source: string;
  readonly text: string;
  readonly project: string | undefined;
  readonly endpoint: string;
}

const credentialsShape = z.looseObject({ project_id: z.string().optional() });

function fcmFrom(input: FcmInput, faults: string[]): FcmCredentials | undefined {
  const credentials = parseJson(input.source, input.text, faults);
  const parsed = credentialsShape.safeParse(credentials);
  if (credentials === undefined) return undefined;
  if (!parsed.success) {
    faults.push(`${input.source} must hold a JSON object, as Google’s console hands it out`);
    return undefined;
  }
  const projectId = input.project ?? parsed.data.project_id;
  if (projectId === undefined || projectId === '') {
    faults.push(`${input.source} names no project_id; set GOOGLE_CLOUD_PROJECT`);
    return undefined;
  }
  return { credentials: parsed.data, projectId, endpoint: input.endpoint };
}

function namedApps(file: string, faults: string[]): readonly AppCredentials[] {
  const forContent = 'write it to a file and give the path of that';
  const text = readNamedText({ name: 'NDS_APPS_FILE', path: file, forContent }, faults);
  const json = text === undefined ? undefined : parseJson('NDS_APPS_FILE', text, faults);
  if (json === undefined) return [];
  const parsed = appsFile.safeParse(json);
  if (!parsed.success) {
    for (const issue of parsed.error.issues) {
      faults.push(`NDS_APPS_FILE: ${issue.path.join('.') || 'the file'}: ${issue.message}`);
    }
    return [];
  }
  return Object.entries(parsed.data).map(([name, app]) => {
    if (name === DEFAULT_APP) {
      faults.push('NDS_APPS_FILE must not hold `default`; it comes from the plain variables');
    }
    const source = `NDS_APPS_FILE: ${name}`;
    const apns = app.apns === undefined ? undefined : namedApns(source, app.apns, faults);
    const fcm = app.fcm === undefined ? undefined : namedFcm(source, app.fcm, faults);
    if (app.apns === undefined && app.fcm === undefined) {
      faults.push(`${source} has neither apns nor fcm`);
    }
    return {
      name,
      ...(apns === undefined ? {} : { apns }),
      ...(fcm === undefined ? {} : { fcm }),
    };
  });
}

type NamedApp = z.output<typeof appsFile>[string];

function namedApns(
  source: string,
  apns: NonNullable<NamedApp['apns']>,
  faults: string[],
): ApnsCredentials | undefined {
  const key =
    apns.key ??
    (apns.key_file === undefined
      ? undefined
      : readNamedText(
          { name: `${source}: apns.key_file`, path: apns.key_file, forContent: 'use apns.key' },
          faults,
        ));
  if (apns.key === undefined && apns.key_file === undefined) {
    faults.push(`${source} has no apns.key_file`);
  }
  if (key === undefined) return undefined;
  return {
    key,
    keyId: apns.key_id,
    teamId: apns.team_id,
    topic: apns.topic,
    environment: apns.environment,
    endpoint: apns.endpoint ?? APPLE[apns.environment],
  };
}

function namedFcm(
  source: string,
  fcm: NonNullable<NamedApp['fcm']>,
  faults: string[],
): FcmCredentials | undefined {
  const text =
    fcm.credentials === undefined
      ? fcm.credentials_file === undefined
        ? undefined
        : readNamedText(
            {
              name: `${source}: fcm.credentials_file`,
              path: fcm.credentials_file,
              forContent: 'use fcm.credentials',
            },
            faults,
          )
      : JSON.stringify(fcm.credentials);
  if (fcm.credentials === undefined && fcm.credentials_file === undefined) {
    faults.push(`${source} has no fcm.credentials_file`);
  }
  if (text === undefined) return undefined;
  return fcmFrom({ source, text, project: fcm.project, endpoint: fcm.endpoint ?? GOOGLE }, faults);
}

function parseJson(source: string, text: string, faults: string[]): unknown {
  try {
    return JSON.parse(text);
  } catch {
    faults.push(`${source} is not valid JSON`);
    return undefined;
  }
}
