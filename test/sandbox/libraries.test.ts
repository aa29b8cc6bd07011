// The libraries that real services use, against the stand-ins: the stand-ins take what they send, and they understand
// the answers.
import { Agent } from 'node:https';
import apn from '@parse/node-apn';
import { deleteApp, initializeApp } from 'firebase-admin/app';
import { getMessaging } from 'firebase-admin/messaging';
import { JWT } from 'google-auth-library';
import { afterEach, expect, test } from 'vitest';
import { startSandbox } from '../../sandbox/sandbox.ts';

const cleanups: (() => void | Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0)) await cleanup();
});

async function setup() {
  const sandbox = await startSandbox();
  cleanups.push(() => sandbox.close());
  return sandbox;
}

async function setupNodeApn() {
  const sandbox = await setup();
  const { hostname, port } = new URL(sandbox.apns.url);
  const provider = new apn.Provider({
    token: { key: sandbox.apns.key, keyId: sandbox.apns.keyId, teamId: sandbox.apns.teamId },
    address: hostname,
    port: Number(port),
    ca: [sandbox.ca],
    production: false,
    connectionRetryLimit: 0,
  });
  cleanups.unshift(async () => {
    await provider.shutdown();
  });
  const notification = new apn.Notification();
  notification.topic = sandbox.apns.topic;
  notification.pushType = 'alert';
  notification.alert = { title: 'Incoming payment', body: '' };
  notification.mutableContent = true;
  notification.expiry = Math.floor(Date.now() / 1000) + 60;
  notification.payload = { notification_type: 'payment_received' };
  return { sandbox, send: (token: string) => provider.send(notification, token) };
}

/** Connections to both of Google's hosts go to the stand-in, whose certificate is for localhost. */
class StandInAgent extends Agent {
  readonly #target: { host: string; port: number; ca: string; servername: string };

  constructor(url: string, ca: string) {
    super({ keepAlive: true });
    const { hostname, port } = new URL(url);
    this.#target = { host: hostname, port: Number(port), ca, servername: 'localhost' };
  }

  override createConnection(
    options: Parameters<Agent['createConnection']>[0],
    callback?: Parameters<Agent['createConnection']>[1],
  ) {
    return super.createConnection({ ...options, ...this.#target }, callback);
  }
}

async function setupFirebase() {
  const sandbox = await setup();
  const agent = new StandInAgent(sandbox.fcm.url, sandbox.ca);
  const account = sandbox.fcm.serviceAccount;
  const jwt = new JWT({
    email: account.client_email,
    key: account.private_key,
    scopes: ['https://www.googleapis.com/auth/firebase.messaging'],
    transporterOptions: { agent },
  });
  const app = initializeApp(
    {
      projectId: sandbox.fcm.projectId,
      httpAgent: agent,
      credential: {
        async getAccessToken() {
          const { access_token, expiry_date } = await jwt.authorize();
          const expiresInMs = (expiry_date ?? 0) - Date.now();
          return { access_token: access_token ?? '', expires_in: expiresInMs / 1000 };
        },
      },
    },
    sandbox.fcm.url,
  );
  cleanups.unshift(async () => {
    await deleteApp(app);
    agent.destroy();
  });
  const send = (token: string) =>
    getMessaging(app).send({
      token,
      data: { notification_type: 'payment_received' },
      android: { priority: 'high', ttl: 60_000 },
    });
  return { sandbox, send };
}

test('takes a notification of @parse/node-apn', async () => {
  const { sandbox, send } = await setupNodeApn();
  const { sent, failed } = await send('aabb01');
  expect(failed).toEqual([]);
  expect(sent).toMatchObject([{ device: 'aabb01' }]);
  expect(sandbox.received('aabb01')).toMatchObject([
    {
      title: 'Incoming payment',
      data: { notification_type: 'payment_received' },
      expired: false,
      apns: { pushType: 'alert', payload: { aps: { 'mutable-content': 1 } } },
    },
  ]);
});

test('sends refusals that @parse/node-apn can read', async () => {
  const { sandbox, send } = await setupNodeApn();
  sandbox.script({ fault: { kind: 'reason', reason: 'Unregistered', timestampMs: 42 } });
  const { failed } = await send('aabb01');
  expect(failed).toMatchObject([
    { device: 'aabb01', status: 410, response: { reason: 'Unregistered', timestamp: 42 } },
  ]);
});

test('takes a message of firebase-admin', async () => {
  const { sandbox, send } = await setupFirebase();
  expect(await send('phone-1')).toBe(`projects/${sandbox.fcm.projectId}/messages/1`);
  expect(sandbox.received('phone-1')).toMatchObject([
    {
      platform: 'android',
      data: { notification_type: 'payment_received' },
      fcm: { androidPriority: 'high', ttl: '60s' },
    },
  ]);
  expect(sandbox.requests().map(({ provider }) => provider)).toEqual(['oauth', 'fcm']);
});

test('sends errors that firebase-admin can read', async () => {
  const { sandbox, send } = await setupFirebase();
  sandbox.script({ fault: { kind: 'fcm_error', error: 'UNREGISTERED' } });
  await expect(send('phone-1')).rejects.toMatchObject({
    code: 'messaging/registration-token-not-registered',
    httpResponse: { status: 404 },
  });
  sandbox.script({ fault: { kind: 'fcm_error', error: 'QUOTA_EXCEEDED', retryAfterSeconds: 7 } });
  await expect(send('phone-1')).rejects.toMatchObject({
    code: 'messaging/message-rate-exceeded',
    httpResponse: { status: 429, headers: { 'retry-after': '7' } },
  });
});
