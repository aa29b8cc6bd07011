// The reference: a process that does nothing but send the requests that the service would send, over one HTTP/2
// session. What the service costs and how late it is are told as ratios to this.

import { once } from 'node:events';
import { type ClientHttp2Session, connect, type OutgoingHttpHeaders } from 'node:http2';
import { serveParent } from './child.ts';
import { fetchAccessToken, signProviderToken } from './credentials.ts';
import { paymentHash, tokenOf } from './numbering.ts';
import { runLoop, type Send, type SendCommand, sendCommands } from './send-loop.ts';

const PHONES = 2_000;
const LIFETIME_SECONDS = 60;

type Build = (number: number) => { readonly headers: OutgoingHttpHeaders; readonly body: string };

let send: Send = () => Promise.reject(new Error('not connected'));

serveParent(sendCommands, async (command) => {
  if (command.kind !== 'connect') return await runLoop(send, command);
  send = await open(command);
  return {};
});

async function open({
  provider,
  standIns,
}: Extract<SendCommand, { kind: 'connect' }>): Promise<Send> {
  const session = connect(standIns[provider].url, { ca: standIns.ca });
  await once(session, 'connect');
  const build =
    provider === 'apns'
      ? buildForApns(standIns.apns.topic, signProviderToken(standIns.apns))
      : buildForFcm(standIns.fcm.projectId, await fetchAccessToken(session, standIns.fcm));
  const sendOne: Send = (number) => request(session, build(number));
  // APNs allows a single stream until it has seen a push it accepts.
  await sendOne(0);
  return sendOne;
}

function buildForApns(topic: string, token: string): Build {
  return (number) => ({
    headers: {
      ':method': 'POST',
      ':path': `/3/device/${tokenOf(number, 'ios', PHONES)}`,
      authorization: `bearer ${token}`,
      'apns-topic': topic,
      'apns-push-type': 'alert',
      'apns-priority': 10,
      'apns-expiration': Math.floor(Date.now() / 1_000) + LIFETIME_SECONDS,
    },
    body: JSON.stringify({
      aps: { alert: { title: 'Incoming payment' }, 'mutable-content': 1 },
      notification_type: 'payment_received',
      notification_payload: payloadOf(number),
    }),
  });
}

function buildForFcm(projectId: string, token: string): Build {
  return (number) => ({
    headers: {
      ':method': 'POST',
      ':path': `/v1/projects/${projectId}/messages:send`,
      authorization: `Bearer ${token}`,
      'content-type': 'application/json',
    },
    body: JSON.stringify({
      message: {
        token: tokenOf(number, 'android', PHONES),
        data: { notification_type: 'payment_received', notification_payload: payloadOf(number) },
        android: { priority: 'high', ttl: `${LIFETIME_SECONDS}s` },
      },
    }),
  });
}

function payloadOf(number: number): string {
  return `{"payment_hash":"${paymentHash(number)}"}`;
}

function request(session: ClientHttp2Session, { headers, body }: ReturnType<Build>): Promise<void> {
  return new Promise((resolve, reject) => {
    const stream = session.request(headers);
    let status = 0;
    stream.on('response', (answer) => {
      status = answer[':status'] ?? 0;
    });
    stream.on('data', () => {});
    stream.on('error', reject);
    stream.on('close', () => {
      if (status === 200) resolve();
      else reject(new Error(`a stand-in answered ${status}`));
    });
    stream.end(body);
  });
}
