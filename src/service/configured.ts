// What is configured for an app at a provider, without secrets: doctor, readiness and the log use it to name the wrong
// value.

import { createHash } from 'node:crypto';
import type { ApnsCredentials, FcmCredentials } from '../config/app-credentials.ts';

export type Configured =
  | {
      readonly provider: 'apns';
      readonly keyId: string;
      readonly teamId: string;
      readonly topic: string;
      readonly environment: 'production' | 'sandbox';
      readonly endpoint: string;
    }
  | {
      readonly provider: 'fcm';
      /** Where pushes go. */
      readonly projectId: string;
      /** The credential's own project, if it names one. */
      readonly credentialProjectId?: string | undefined;
      /** The service account's address. */
      readonly account?: string | undefined;
      readonly endpoint: string;
    };

/** One for each key, in the order of use. */
export function configuredKeys(
  credentials: ApnsCredentials | FcmCredentials,
): readonly Configured[] {
  if (!('keyId' in credentials)) return [configuredFcm(credentials)];
  const { keyId, secondKey, teamId, topic, environment, endpoint } = credentials;
  const keyIds = secondKey === undefined ? [keyId] : [keyId, secondKey.keyId];
  return keyIds.map((id) => {
    return { provider: 'apns', keyId: id, teamId, topic, environment, endpoint };
  });
}

function configuredFcm({ credentials, projectId, endpoint }: FcmCredentials): Configured {
  const { project_id, client_email } = credentials === 'default' ? {} : credentials;
  return {
    provider: 'fcm',
    projectId,
    credentialProjectId: typeof project_id === 'string' ? project_id : undefined,
    account: typeof client_email === 'string' ? client_email : undefined,
    endpoint,
  };
}

/** Identifies one key of these credentials where no part of them may be written. */
export function fingerprintOf(
  configured: Configured,
  credentials: ApnsCredentials | FcmCredentials,
): string {
  const judged = JSON.stringify([configured, credentials]);
  return createHash('sha256').update(judged).digest('hex');
}

/** The values that the provider checks, as the operator knows them. */
export function valuesOf(configured: Configured): string {
  if (configured.provider === 'apns') {
    const { keyId, teamId, topic, environment } = configured;
    return `key ${keyId}, team ${teamId}, topic ${topic}, ${environment}`;
  }
  const { projectId, credentialProjectId, account } = configured;
  const from =
    credentialProjectId === undefined || credentialProjectId === projectId
      ? ''
      : ` (the credential is of project ${credentialProjectId})`;
  return `project ${projectId}${from}${account === undefined ? '' : `, account ${account}`}`;
}

/** What it says about these values if several devices are refused for this reason. */
export function likelyCause(configured: Configured, reason: string): string {
  if (configured.provider === 'fcm') {
    return reason === 'THIRD_PARTY_AUTH_ERROR'
      ? `project ${configured.projectId}: check the APNs key that is uploaded to Firebase`
      : `project ${configured.projectId} configured: the app’s google-services.json names another one`;
  }
  const { environment, topic } = configured;
  if (reason === 'DeviceTokenNotForTopic') {
    return `topic ${topic} configured: the app’s bundle id is another one`;
  }
  return environment === 'sandbox'
    ? 'sandbox configured: builds from TestFlight and the App Store need production'
    : 'production configured: builds that Xcode installed need sandbox';
}
