// Failures of credentials and settings: typical mistakes of operators.

import { APNS_KEY } from '../support/credentials.ts';
import { registerPhone, wake } from '../support/device-calls.ts';
import { iosToken } from '../support/driven-service.ts';
import type { Setup } from '../support/service.ts';
import { atReadyz, byDoctor, byFind, inMetrics, open, type Story } from './stage.ts';

/** One of the payments for which the devices were woken. */
const PAYMENT = 'payment number 1';

/** Registers devices and wakes each; enough of them for readiness to count them. */
async function wakeDevices(running: Setup, platform: 'ios' | 'android'): Promise<void> {
  for (let number = 0; number < 3; number += 1) {
    const token = platform === 'ios' ? iosToken(number) : `phone-${number}:APA91b`;
    const device = await registerPhone(running, { platform, token });
    await wake(running, device, `payment number ${number}`);
  }
}

export const CREDENTIALS: readonly Story[] = [
  {
    failure: 'the environment of APNs is not that of the builds',
    shows: [
      { where: '/readyz', code: 'default/apns broken' },
      { where: 'nds find', code: 'bad_token' },
      { where: '/metrics', code: 'nds_attempts_total{provider="apns",reason="BadDeviceToken"}' },
    ],
    names: /3 of 3 BadDeviceToken .* need production$/,
    happens: async (onEnd) => {
      const running = await open(onEnd);
      const fault = { kind: 'reason', reason: 'BadDeviceToken' } as const;
      running.sandbox.script({ provider: 'apns', times: 3, fault });
      await wakeDevices(running, 'ios');
      const labels = { provider: 'apns', reason: 'BadDeviceToken' };
      return [
        atReadyz(running, 'default/apns'),
        await byFind(running, PAYMENT),
        await inMetrics(running, 'nds_attempts_total', labels),
      ];
    },
  },
  {
    failure: 'the topic is not of the key’s team',
    shows: [
      { where: 'nds doctor', code: 'apns_refused' },
      { where: '/readyz', code: 'default/apns broken' },
    ],
    names: /topic com\.example\.other .*: TopicDisallowed/,
    happens: async (onEnd) => {
      const running = await open(onEnd, {
        environment: { APNS_TOPIC: 'com.example.other' },
        proves: true,
      });
      await Promise.all(running.service.proofs);
      return [await byDoctor(running, 'default/apns'), atReadyz(running, 'default/apns')];
    },
  },
  {
    failure: 'the tokens are of another app',
    shows: [
      { where: '/readyz', code: 'default/apns broken' },
      { where: 'nds find', code: 'misconfigured' },
    ],
    names: /DeviceTokenNotForTopic .*com\.example\.wallet/,
    happens: async (onEnd) => {
      const running = await open(onEnd);
      const fault = { kind: 'reason', reason: 'DeviceTokenNotForTopic' } as const;
      running.sandbox.script({ provider: 'apns', times: 3, fault });
      await wakeDevices(running, 'ios');
      return [atReadyz(running, 'default/apns'), await byFind(running, PAYMENT)];
    },
  },
  {
    failure: 'the APNs key was revoked',
    shows: [
      { where: 'nds doctor', code: 'apns_refused' },
      { where: '/readyz', code: 'default/apns broken' },
      { where: '/metrics', code: 'nds_attempts_total{outcome="misconfigured",provider="apns"}' },
    ],
    names: /key SANDBOXK01 of team SANDBOXT01 .*: InvalidProviderToken/,
    happens: async (onEnd) => {
      const running = await open(onEnd, { environment: { APNS_KEY } });
      await running.notify(iosToken(1), 'aa');
      const labels = { outcome: 'misconfigured', provider: 'apns' };
      return [
        await byDoctor(running, 'default/apns'),
        atReadyz(running, 'default/apns'),
        await inMetrics(running, 'nds_attempts_total', labels),
      ];
    },
  },
  {
    failure: 'the service account is of another project',
    shows: [{ where: 'nds doctor', code: 'fcm_refused' }],
    names: /project another-wallet \(the credential is of project nds-sandbox\)/,
    happens: async (onEnd) => {
      const running = await open(onEnd);
      return [await byDoctor(running, 'default/fcm', { GOOGLE_CLOUD_PROJECT: 'another-wallet' })];
    },
  },
  {
    failure: 'the app is of another Firebase project',
    shows: [
      { where: '/readyz', code: 'default/fcm broken' },
      { where: 'nds find', code: 'misconfigured' },
    ],
    names: /3 of 3 SENDER_ID_MISMATCH .*google-services\.json/,
    happens: async (onEnd) => {
      const running = await open(onEnd);
      const fault = { kind: 'fcm_error', error: 'SENDER_ID_MISMATCH' } as const;
      running.sandbox.script({ provider: 'fcm', times: 3, fault });
      await wakeDevices(running, 'android');
      return [atReadyz(running, 'default/fcm'), await byFind(running, PAYMENT)];
    },
  },
  {
    failure: 'the key of the service account was deleted',
    shows: [{ where: 'nds doctor', code: 'fcm_refused' }],
    names: /oauth_invalid_grant/,
    happens: async (onEnd) => {
      const running = await open(onEnd);
      running.sandbox.script({ provider: 'oauth', times: 10, fault: { kind: 'oauth_error' } });
      return [await byDoctor(running, 'default/fcm')];
    },
  },
  {
    failure: 'a variable is misspelt',
    shows: [{ where: 'nds doctor', code: 'settings_wrong' }],
    names: /^APNS_TOPICS is not a setting of this service; did you mean APNS_TOPIC\?$/,
    happens: async (onEnd) => {
      const running = await open(onEnd);
      return [await byDoctor(running, 'settings', { APNS_TOPICS: 'com.example.wallet' })];
    },
  },
  {
    failure: 'the secret is not the one that the log was made with',
    shows: [{ where: 'nds doctor', code: 'database_wrong_secret' }],
    names: /NDS_SECRET/,
    happens: async (onEnd) => {
      const running = await open(onEnd);
      return [
        await byDoctor(running, 'database', { NDS_SECRET: 'another secret, which is wrong' }),
      ];
    },
  },
  {
    failure: 'the external URL leads elsewhere',
    shows: [{ where: 'nds doctor', code: 'external_url_wrong' }],
    names: /^GET http:\/\/127\.0\.0\.1:\d+\/healthz: 404$/,
    happens: async (onEnd) => {
      const running = await open(onEnd);
      const elsewhere = running.sandbox.controlUrl;
      return [await byDoctor(running, 'external_url', { NOTIFY_EXTERNAL_URL: elsewhere })];
    },
  },
];
