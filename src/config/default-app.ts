// The app `default` as the plain variables have it.

import {
  APPLE,
  type ApnsCredentials,
  type FcmCredentials,
  GOOGLE,
  readApnsKey,
  readFcmCredentials,
} from './app-credentials.ts';
import type { ReadSettings } from './config.ts';
import { APNS_SETTINGS, FCM_SETTINGS } from './credential-settings.ts';

/** Any of these means that there is a default app; an endpoint alone does not. */
export const CREDENTIAL_NAMES = Object.values({ ...APNS_SETTINGS, ...FCM_SETTINGS })
  .map(({ name }) => name)
  .filter((name) => !name.endsWith('_ENDPOINT'));

export type Given = Pick<ReadSettings, 'values' | 'given'>;

export function defaultApns(
  { values, given }: Given,
  faults: string[],
): ApnsCredentials | undefined {
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
  const key = readApnsKey(
    { content: values.apnsKey, file: values.apnsKeyFile },
    { content: 'APNS_KEY', file: 'APNS_KEY_FILE' },
    faults,
  );
  if (!key || !keyId || !teamId || !topic || !environment) return undefined;
  const endpoint = values.apnsEndpoint ?? APPLE[environment];
  return { key, keyId, teamId, topic, environment, endpoint };
}

export function defaultFcm({ values, given }: Given, faults: string[]): FcmCredentials | undefined {
  const names = {
    content: 'GOOGLE_APPLICATION_CREDENTIALS_JSON',
    file: 'GOOGLE_APPLICATION_CREDENTIALS',
  };
  if (given.has(names.content) && given.has(names.file)) return undefined;
  const { googleProject: project, fcmEndpoint: endpoint = GOOGLE } = values;
  const { googleCredentialsJson: content, googleCredentialsFile: file } = values;
  const hasCredentials = given.has(names.content) || given.has(names.file);
  if (!hasCredentials) {
    // As with breez/notify: the machine that it runs on has the credentials.
    return project === undefined
      ? undefined
      : { credentials: 'default', projectId: project, endpoint };
  }
  const hasProject = given.has('GOOGLE_CLOUD_PROJECT');
  const input = { project, hasProject, endpoint };
  // breez/notify has the content in the variable for the path.
  if (file !== undefined && /^\s*\{/.test(file)) {
    const places = { content: file, file: undefined };
    return readFcmCredentials(
      { ...input, places, names: { ...names, content: names.file } },
      faults,
    );
  }
  return readFcmCredentials({ ...input, places: { content, file }, names }, faults);
}
