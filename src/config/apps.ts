// The vendor's apps and their credentials: `default` from plain variables, others from a JSON file.
// Every fault of every app is reported at once.

import { DEFAULT_APP } from '../core/target.ts';
import { checkFcmCredentials } from '../providers/fcm/credential-file.ts';
import { type NamedApp, parseAppsFile } from './apps-file.ts';
import type { ReadSettings } from './config.ts';
import { APNS_SETTINGS, FCM_SETTINGS } from './credential-settings.ts';
import { readNamedText } from './files.ts';
import { faultOfPem, parsePastedJson } from './pasted-credentials.ts';

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
  /** The parsed JSON of a credential, or Google's application default credentials. */
  readonly credentials: Readonly<Record<string, unknown>> | 'default';
  readonly projectId: string;
  readonly endpoint: string;
}

export interface AppCredentials {
  readonly name: string;
  readonly apns?: ApnsCredentials | undefined;
  readonly fcm?: FcmCredentials | undefined;
}

export interface LoadedApps {
  readonly apps: readonly AppCredentials[];
  /** Every app that is configured, faulty ones too; absent if the file that names them cannot be read. */
  readonly names: readonly string[] | undefined;
}

/** Any of these means that there is a default app; an endpoint alone does not. */
const CREDENTIAL_NAMES = Object.values({ ...APNS_SETTINGS, ...FCM_SETTINGS })
  .map(({ name }) => name)
  .filter((name) => !name.endsWith('_ENDPOINT'));

const NOTHING = `No provider is configured. For APNs set APNS_KEY_FILE, APNS_KEY_ID, APNS_TEAM_ID, APNS_TOPIC and APNS_ENVIRONMENT; for FCM set GOOGLE_APPLICATION_CREDENTIALS or GOOGLE_APPLICATION_CREDENTIALS_JSON. To try the service without accounts run \`npm run demo\`.`;

type Given = Pick<ReadSettings, 'values' | 'given'>;

/** Reads the credentials of all apps and adds what is wrong to `faults`. */
export function loadApps(settings: Given, faults: string[]): LoadedApps {
  const apns = defaultApns(settings, faults);
  const fcm = defaultFcm(settings, faults);
  const isDefault = CREDENTIAL_NAMES.some((name) => settings.given.has(name));
  const others = namedApps(settings.values.appsFile, faults);
  const hasNone = !isDefault && others?.length === 0;
  if (hasNone) faults.push(NOTHING);
  const ownName = isDefault ? [DEFAULT_APP] : [];
  return {
    apps: [...(isDefault ? [{ name: DEFAULT_APP, apns, fcm }] : []), ...(others ?? [])],
    names: others && [...ownName, ...others.map(({ name }) => name)],
  };
}

function defaultApns({ values, given }: Given, faults: string[]): ApnsCredentials | undefined {
  const { apnsKeyId: keyId, apnsTeamId: teamId, apnsTopic: topic } = values;
  const { apnsEnvironment: environment } = values;
  const required: readonly (readonly [string, boolean])[] = [
    ['APNS_KEY_FILE (or APNS_KEY)', given.has('APNS_KEY') || given.has('APNS_KEY_FILE')],
    ['APNS_KEY_ID', given.has('APNS_KEY_ID')],
    ['APNS_TEAM_ID', given.has('APNS_TEAM_ID')],
    ['APNS_TOPIC', given.has('APNS_TOPIC')],
    ['APNS_ENVIRONMENT (production or sandbox)', given.has('APNS_ENVIRONMENT')],
  ];
  const missing = required.filter(([, isGiven]) => !isGiven).map(([name]) => name);
  if (missing.length === required.length) return undefined;
  if (missing.length > 0) faults.push(`APNs is configured in part; also set ${missing.join(', ')}`);
  if (given.has('APNS_KEY') && given.has('APNS_KEY_FILE')) return undefined;
  const key = apnsKey(
    { content: values.apnsKey, file: values.apnsKeyFile },
    { content: 'APNS_KEY', file: 'APNS_KEY_FILE' },
    faults,
  );
  if (!key || !keyId || !teamId || !topic || !environment) return undefined;
  const endpoint = values.apnsEndpoint ?? APPLE[environment];
  return { key, keyId, teamId, topic, environment, endpoint };
}

/** Where a credential may be: in a setting itself, or in the file that another setting names. */
interface Places<Value> {
  readonly content: Value;
  readonly file: Value;
}

function apnsKey(
  given: Places<string | undefined>,
  names: Places<string>,
  faults: string[],
): string | undefined {
  const text = textOf(given, names, faults);
  if (text === undefined) return undefined;
  const isFile = given.content === undefined;
  const fault = faultOfPem({ text, pathVariable: isFile ? undefined : names.file });
  if (fault === undefined) return text;
  faults.push(`${isFile ? `the file of ${names.file}` : names.content} ${fault}`);
  return undefined;
}

function textOf(
  { content, file }: Places<string | undefined>,
  names: Places<string>,
  faults: string[],
): string | undefined {
  if (content !== undefined || file === undefined) return content;
  const forContent = `use ${names.content}`;
  return readNamedText({ name: names.file, path: file, forContent }, faults);
}

function defaultFcm({ values, given }: Given, faults: string[]): FcmCredentials | undefined {
  const names = {
    content: 'GOOGLE_APPLICATION_CREDENTIALS_JSON',
    file: 'GOOGLE_APPLICATION_CREDENTIALS',
  };
  if (given.has(names.content) && given.has(names.file)) return undefined;
  const { googleProject: project, fcmEndpoint: endpoint = GOOGLE } = values;
  const places = { content: values.googleCredentialsJson, file: values.googleCredentialsFile };
  const hasCredentials = given.has(names.content) || given.has(names.file);
  if (!hasCredentials) {
    // breez/notify's way: the machine that it runs on has the credentials.
    return project === undefined
      ? undefined
      : { credentials: 'default', projectId: project, endpoint };
  }
  const hasProject = given.has('GOOGLE_CLOUD_PROJECT');
  return fcmFrom({ places, names, project, hasProject, endpoint }, faults);
}

function fcmFrom(
  input: {
    readonly places: Places<string | undefined>;
    readonly names: Places<string>;
    readonly project: string | undefined;
    /** Whether one was given, valid or not. */
    readonly hasProject: boolean;
    readonly endpoint: string;
  },
  faults: string[],
): FcmCredentials | undefined {
  const { places, names, project, hasProject, endpoint } = input;
  const text = textOf(places, names, faults);
  if (text === undefined) return undefined;
  const isFile = places.content === undefined;
  const source = isFile ? `the file of ${names.file}` : names.content;
  const parsed = parsePastedJson({ text, pathVariable: isFile ? undefined : names.file });
  const fault = 'fault' in parsed ? parsed.fault : faultOfCredential(parsed.json);
  if (fault !== undefined || 'fault' in parsed || !isRecord(parsed.json)) {
    faults.push(`${source} ${fault}`);
    return undefined;
  }
  const { project_id: ownProject } = parsed.json;
  const projectId = project ?? (typeof ownProject === 'string' ? ownProject : undefined);
  if (projectId !== undefined) return { credentials: parsed.json, projectId, endpoint };
  if (!hasProject) faults.push(`${source} names no project_id; set GOOGLE_CLOUD_PROJECT`);
  return undefined;
}

function faultOfCredential(json: unknown): string | undefined {
  if (!isRecord(json)) return 'must hold a JSON object, as Google’s console hands it out';
  return checkFcmCredentials(json);
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function namedApps(
  path: string | undefined,
  faults: string[],
): readonly AppCredentials[] | undefined {
  if (path === undefined) return [];
  const apps = parseAppsFile(path, faults);
  return apps?.map(({ name, app }) => {
    if (name === DEFAULT_APP) {
      faults.push('NDS_APPS_FILE must not hold `default`; it comes from the plain variables');
    }
    const source = `NDS_APPS_FILE: ${name}`;
    const { apns, fcm } = app;
    if (apns === undefined && fcm === undefined) faults.push(`${source} has neither apns nor fcm`);
    return {
      name,
      apns: apns && namedApns(source, apns, faults),
      fcm: fcm && namedFcm(source, fcm, faults),
    };
  });
}

function namedApns(
  source: string,
  apns: NonNullable<NamedApp['apns']>,
  faults: string[],
): ApnsCredentials | undefined {
  const names = { content: `${source}: apns.key`, file: `${source}: apns.key_file` };
  if (!hasOne({ content: apns.key, file: apns.key_file }, names, faults)) return undefined;
  const key = apnsKey({ content: apns.key, file: apns.key_file }, names, faults);
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
  const names = { content: `${source}: fcm.credentials`, file: `${source}: fcm.credentials_file` };
  const places = {
    content: fcm.credentials && JSON.stringify(fcm.credentials),
    file: fcm.credentials_file,
  };
  if (!hasOne(places, names, faults)) return undefined;
  const { project, endpoint = GOOGLE } = fcm;
  return fcmFrom({ places, names, project, hasProject: project !== undefined, endpoint }, faults);
}

function hasOne(
  places: Places<string | undefined>,
  names: Places<string>,
  faults: string[],
): boolean {
  const count = Object.values(places).filter((value) => value !== undefined).length;
  if (count === 0) faults.push(`${names.file} is missing`);
  if (count === 2)
    faults.push(`${names.content} and ${names.file} are both set: remove one of them`);
  return count === 1;
}
