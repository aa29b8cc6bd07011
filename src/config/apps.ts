// The vendor's apps: `default` from the plain variables, others from NDS_APPS or its file, which may also add settings
// to `default`. Every fault of every app is reported at once.

import { DEFAULT_APP } from '../core/target.ts';
import type { ApnsCredentials, FcmCredentials } from './app-credentials.ts';
import type { AppSettings } from './app-settings.ts';
import { type NamedApp, parseApps } from './apps-file.ts';
import { CREDENTIAL_NAMES, defaultApns, defaultFcm, type Given } from './default-app.ts';
import { namedApns, namedFcm } from './named-apps.ts';

export interface App {
  readonly name: string;
  readonly apns?: ApnsCredentials | undefined;
  readonly fcm?: FcmCredentials | undefined;
  readonly settings: AppSettings;
}

export interface LoadedApps {
  readonly apps: readonly App[];
  /** Every configured app, including faulty ones; absent if the list cannot be read. */
  readonly names: readonly string[] | undefined;
  /** The setting that has the JSON of the apps. */
  readonly setting: string;
}

const NOTHING = `No provider is configured. For APNs set APNS_KEY_FILE, APNS_KEY_ID, APNS_TEAM_ID, APNS_TOPIC and APNS_ENVIRONMENT; for FCM set GOOGLE_APPLICATION_CREDENTIALS or GOOGLE_APPLICATION_CREDENTIALS_JSON. To try the service without accounts run \`npm run demo\`.`;

/** Reads all apps and adds faults to `faults`. */
export function loadApps(settings: Given, faults: string[]): LoadedApps {
  const plain = {
    name: DEFAULT_APP,
    apns: defaultApns(settings, faults),
    fcm: defaultFcm(settings, faults),
    settings: {},
  };
  const hasPlain = CREDENTIAL_NAMES.some((name) => settings.given.has(name));
  const { apps, appsFile } = settings.values;
  const isBoth = settings.given.has('NDS_APPS') && settings.given.has('NDS_APPS_FILE');
  const given = parseApps(isBoth ? {} : { apps, appsFile }, faults);
  const { setting } = given;
  const named = given.apps?.map(({ name, app }) =>
    hasPlain && name === DEFAULT_APP
      ? { ...plain, settings: settingsOfDefault(setting, app, faults) }
      : namedApp({ setting, name, app }, faults),
  );
  if (!hasPlain && named?.length === 0 && !isBoth) faults.push(NOTHING);
  const isPlainAlone = hasPlain && !named?.some(({ name }) => name === DEFAULT_APP);
  const all = [...(isPlainAlone ? [plain] : []), ...(named ?? [])];
  return { apps: all, names: named && all.map(({ name }) => name), setting };
}

function namedApp(
  given: { readonly setting: string; readonly name: string; readonly app: NamedApp },
  faults: string[],
): App {
  const { name } = given;
  const source = `${given.setting}: ${name}`;
  const { apns, fcm, ...settings } = given.app;
  if (apns === undefined && fcm === undefined) faults.push(`${source} has neither apns nor fcm`);
  return {
    name,
    apns: apns && namedApns(source, apns, faults),
    fcm: fcm && namedFcm(source, fcm, faults),
    settings,
  };
}

/** It would be unclear which credentials count. */
function settingsOfDefault(setting: string, app: NamedApp, faults: string[]): AppSettings {
  const { apns, fcm, ...settings } = app;
  if (apns !== undefined || fcm !== undefined) {
    faults.push(
      `${setting}: default has credentials, and so have the plain variables: remove one of them`,
    );
  }
  return settings;
}
