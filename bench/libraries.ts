// The first honest baseline: the same pushes sent by the owners' packages as their manuals show it, each in a
// process of its own. @parse/node-apn over HTTP/2, firebase-admin over kept-alive HTTP/1.1 connections.

import { Agent } from 'node:https';
import apn from '@parse/node-apn';
import { initializeApp } from 'firebase-admin/app';
import { getMessaging } from 'firebase-admin/messaging';
import { JWT } from 'google-auth-library';
import { serveParent } from './child.ts';
import { paymentHash, tokenOf } from './numbering.ts';
import { runLoop, type Send, sendCommands } from './send-loop.ts';
import type { Described } from './stand-ins.ts';

const PHONES = 2_000;
const LIFETIME_MS = 60_000;
/** As many as there are callers, so that none waits for a connection. */
const MAX_SOCKETS = 256;
const SCOPE = 'https://www.googleapis.com/auth/firebase.messaging';

let send: Send = () => Promise.reject(new Error('not connected'));

serveParent(sendCommands, async (command) => {
  if (command.kind !== 'connect') return await runLoop(send, command);
  send = command.provider === 'apns' ? nodeApn(command.standIns) : firebaseAdmin(command.standIns);
  await send(0);
  return {};
});

function nodeApn({ apns, ca }: Described): Send {
  const { hostname, port } = new URL(apns.url);
  const provider = new apn.Provider({
    token: { key: apns.key, keyId: apns.keyId, teamId: apns.teamId },
    address: hostname,
    port: Number(port),
    ca: [ca],
    production: false,
  });
  return async (number) => {
    const notification = new apn.Notification();
    notification.topic = apns.topic;
    notification.pushType = 'alert';
    notification.priority = 10;
    notification.expiry = Math.floor((Date.now() + LIFETIME_MS) / 1_000);
    notification.aps = { alert: { title: 'Incoming payment' }, 'mutable-content': 1 };
    notification.payload = dataOf(number);
    const { failed } = await provider.send(notification, tokenOf(number, 'ios', PHONES));
    if (failed.length > 0) throw new Error('node-apn could not send');
  };
}

/** Google's hosts all lead to the stand-in, whose certificate is for localhost. */
class StandInAgent extends Agent {
  readonly #target: { host: string; port: number; ca: string; servername: string };

  constructor(url: string, ca: string) {
    super({ keepAlive: true, maxSockets: MAX_SOCKETS });
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

function firebaseAdmin({ fcm, ca }: Described): Send {
  const agent = new StandInAgent(fcm.url, ca);
  const { client_email: email = '', private_key: key = '' } = fcm.serviceAccount;
  const jwt = new JWT({ email, key, scopes: [SCOPE], transporterOptions: { agent } });
  const app = initializeApp({
    projectId: fcm.projectId,
    httpAgent: agent,
    credential: {
      async getAccessToken() {
        const { access_token, expiry_date } = await jwt.authorize();
        const expiresInMs = (expiry_date ?? 0) - Date.now();
        return { access_token: access_token ?? '', expires_in: expiresInMs / 1_000 };
      },
    },
  });
  const messaging = getMessaging(app);
  return async (number) => {
    await messaging.send({
      token: tokenOf(number, 'android', PHONES),
      data: dataOf(number),
      android: { priority: 'high', ttl: LIFETIME_MS },
    });
  };
}

function dataOf(number: number) {
  return {
    notification_type: 'payment_received',
    notification_payload: `{"payment_hash":"${paymentHash(number)}"}`,
  };
}
