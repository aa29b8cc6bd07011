// The credentials of the apps in the JSON of the apps.

import {
  APPLE,
  type ApnsCredentials,
  type FcmCredentials,
  GOOGLE,
  hasOne,
  readApnsKey,
  readFcmCredentials,
} from './app-credentials.ts';
import type { NamedApp } from './apps-file.ts';

type NamedApns = NonNullable<NamedApp['apns']>;
type NamedFcm = NonNullable<NamedApp['fcm']>;

/** `source` names the setting and the app for messages. */
export function namedApns(
  source: string,
  apns: NamedApns,
  faults: string[],
): ApnsCredentials | undefined {
  const environments = [apns.environment].flat();
  const [environment = 'production'] = environments;
  const hasBoth = environments.length === 2;
  if (hasBoth && new Set(environments).size !== 2) {
    faults.push(`${source}: apns.environment names one environment twice`);
  }
  if (!hasBoth && apns.sandbox_endpoint !== undefined) {
    faults.push(`${source}: apns.sandbox_endpoint is only for apps with both environments`);
  }
  const key = namedKey(`${source}: apns`, apns, faults);
  const second = apns.second_key;
  const secondKey = second && namedKey(`${source}: apns.second_key`, second, faults);
  if (key === undefined) return undefined;
  const main = hasBoth ? 'production' : environment;
  return {
    ...key,
    secondKey,
    teamId: apns.team_id,
    topic: apns.topic,
    environment: main,
    endpoint: apns.endpoint ?? APPLE[main],
    sandboxEndpoint: hasBoth ? (apns.sandbox_endpoint ?? APPLE.sandbox) : undefined,
  };
}

function namedKey(
  source: string,
  given: Pick<NamedApns, 'key' | 'key_file' | 'key_id'>,
  faults: string[],
): { readonly key: string; readonly keyId: string } | undefined {
  const names = { content: `${source}.key`, file: `${source}.key_file` };
  const places = { content: given.key, file: given.key_file };
  if (!hasOne(places, names, faults)) return undefined;
  const key = readApnsKey(places, names, faults);
  return key === undefined ? undefined : { key, keyId: given.key_id };
}

export function namedFcm(
  source: string,
  fcm: NamedFcm,
  faults: string[],
): FcmCredentials | undefined {
  const names = { content: `${source}: fcm.credentials`, file: `${source}: fcm.credentials_file` };
  const places = {
    content: fcm.credentials && JSON.stringify(fcm.credentials),
    file: fcm.credentials_file,
  };
  const { project, endpoint = GOOGLE } = fcm;
  if (fcm.application_default === true) {
    if (Object.values(places).some((value) => value !== undefined)) {
      faults.push(`${source}: fcm.application_default must stand without credentials`);
    }
    if (project === undefined) {
      faults.push(`${source}: fcm.project is required with application_default`);
      return undefined;
    }
    return { credentials: 'default', projectId: project, endpoint };
  }
  if (!hasOne(places, names, faults)) return undefined;
  return readFcmCredentials(
    { places, names, project, hasProject: project !== undefined, endpoint },
    faults,
  );
}
