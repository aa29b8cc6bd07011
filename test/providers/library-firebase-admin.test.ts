// Why firebase-admin does not send our pushes: it sends again by itself, and this cannot be stopped.
// docs/decisions/0001-own-http2-transport.md depends on these tests; if one fails, read it again.

import { Agent } from 'node:https';
import { connect } from 'node:tls';
import { deleteApp, initializeApp } from 'firebase-admin/app';
import { getMessaging } from 'firebase-admin/messaging';
import { expect, it, onTestFinished } from 'vitest';
import type { Sandbox } from '../../sandbox/sandbox.ts';
import { accessTokenOf, openProvider, openSandbox, TOKENS } from './support.ts';

/** The library knows one host only, so its sockets are redirected to the sandbox. */
class SandboxAgent extends Agent {
  readonly #sandbox: Sandbox;

  constructor(sandbox: Sandbox) {
    super({ keepAlive: false });
    this.#sandbox = sandbox;
  }

  override createConnection() {
    const { port } = new URL(this.#sandbox.fcm.url);
    return connect({
      host: '127.0.0.1',
      port: Number(port),
      ca: this.#sandbox.ca,
      servername: 'localhost',
    });
  }
}

async function openFirebaseAdmin(sandbox: Sandbox) {
  const token = await accessTokenOf(sandbox);
  const app = initializeApp(
    {
      projectId: sandbox.fcm.projectId,
      httpAgent: new SandboxAgent(sandbox),
      credential: { getAccessToken: async () => ({ access_token: token, expires_in: 3_600 }) },
    },
    sandbox.fcm.url,
  );
  return { app, messaging: getMessaging(app) };
}

function sends(sandbox: Sandbox): readonly (number | undefined)[] {
  return sandbox
    .requests()
    .filter(({ provider }) => provider === 'fcm')
    .map(({ status }) => status);
}

it('firebase-admin sends again by itself after a 503', async () => {
  const sandbox = await openSandbox();
  const { app, messaging } = await openFirebaseAdmin(sandbox);
  onTestFinished(() => deleteApp(app));
  sandbox.script({ provider: 'fcm', fault: { kind: 'fcm_error', error: 'UNAVAILABLE' } });
  await messaging.send({ token: TOKENS.fcm });
  expect(sends(sandbox)).toEqual([503, 200]);
});

it('firebase-admin pushes although the caller has given up and deleted the app', async () => {
  const sandbox = await openSandbox();
  const { app, messaging } = await openFirebaseAdmin(sandbox);
  sandbox.script({
    provider: 'fcm',
    fault: { kind: 'fcm_error', error: 'UNAVAILABLE', delayMs: 30 },
  });
  const sending = messaging.send({ token: TOKENS.fcm });
  await sandbox.waitForRequests(({ provider }) => provider === 'fcm', 1);
  await deleteApp(app);
  await sending;
  expect(sends(sandbox)).toEqual([503, 200]);
  expect(sandbox.received()).toHaveLength(1);
});

it('our transport sends once and reports the answer', async () => {
  const sandbox = await openSandbox();
  const { send } = await openProvider('fcm', sandbox);
  sandbox.script({ provider: 'fcm', fault: { kind: 'fcm_error', error: 'UNAVAILABLE' } });
  expect(await send()).toEqual({ kind: 'retry', reason: 'UNAVAILABLE', certainty: 'answered' });
  expect(sends(sandbox)).toEqual([503]);
});
