// Plain protocol clients for the sandbox's own tests: node:http2 without a library in between, so that tests can see
// every header and every end of a stream.
import { createPrivateKey, sign } from 'node:crypto';
import {
  type ClientHttp2Session,
  connect,
  type IncomingHttpHeaders,
  type OutgoingHttpHeaders,
} from 'node:http2';
import type { Sandbox } from '../../sandbox/sandbox.ts';

/** How one stream ended: with an answer, or with an error code and none. */
export interface Reply {
  readonly status: number | undefined;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
  /** HTTP/2 error code with which the stream was closed; 0: in order. */
  readonly code: number;
}

export interface Client {
  readonly session: ClientHttp2Session;
  request(headers: OutgoingHttpHeaders, body?: string): Promise<Reply>;
}

/** Opens a session; an error of the session is seen by the streams, so it is not thrown. */
export function openClient(url: string, ca: string): Client {
  const session = connect(url, { ca });
  session.on('error', () => undefined);
  return {
    session,
    request(headers, body = '') {
      return new Promise((resolve) => {
        const stream = session.request(headers);
        let answer: IncomingHttpHeaders = {};
        let text = '';
        stream.setEncoding('utf8');
        stream.on('response', (received) => {
          answer = received;
        });
        stream.on('data', (chunk: string) => {
          text += chunk;
        });
        // The code at the end of the stream says what went wrong.
        stream.on('error', () => undefined);
        stream.on('close', () => {
          const status = answer[':status'];
          resolve({
            status: status === undefined ? undefined : Number(status),
            headers: answer,
            body: text,
            code: stream.rstCode ?? 0,
          });
        });
        stream.end(body);
      });
    },
  };
}

function encode(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}

export interface ProviderTokenParts {
  readonly kid?: string;
  readonly iss?: string;
  readonly iat?: number;
  readonly key?: string;
}

/** A provider token; valid except for the given parts. */
export function signProviderToken(sandbox: Sandbox, parts: ProviderTokenParts = {}): string {
  const { kid = sandbox.apns.keyId, iss = sandbox.apns.teamId, key = sandbox.apns.key } = parts;
  const { iat = Math.floor(Date.now() / 1000) } = parts;
  const text = `${encode({ alg: 'ES256', kid })}.${encode({ iss, iat })}`;
  const signature = sign('sha256', Buffer.from(text), {
    key: createPrivateKey(key),
    dsaEncoding: 'ieee-p1363',
  });
  return `${text}.${signature.toString('base64url')}`;
}

export const alertPayload = JSON.stringify({
  aps: { alert: { title: 'Incoming payment' }, 'mutable-content': 1 },
  notification_type: 'payment_received',
  notification_payload: '{"payment_hash":"00"}',
});

/** The headers of a valid push. */
export function apnsHeaders(sandbox: Sandbox, token = 'aabb01'): OutgoingHttpHeaders {
  return {
    ':method': 'POST',
    ':path': `/3/device/${token}`,
    authorization: `bearer ${signProviderToken(sandbox)}`,
    'apns-topic': sandbox.apns.topic,
    'apns-push-type': 'alert',
    'apns-priority': '10',
  };
}

export interface AssertionParts {
  readonly iss?: string;
  readonly scope?: string;
  readonly aud?: string;
  readonly iat?: number;
  readonly exp?: number;
  readonly key?: string;
}

/** The form of a token request; valid except for the given parts of the assertion. */
export function tokenForm(sandbox: Sandbox, parts: AssertionParts = {}): string {
  const account = sandbox.fcm.serviceAccount;
  const now = Math.floor(Date.now() / 1000);
  const { key = account.private_key, ...claims } = parts;
  const text = `${encode({ alg: 'RS256', typ: 'JWT' })}.${encode({
    iss: account.client_email,
    scope: 'https://www.googleapis.com/auth/firebase.messaging',
    aud: 'https://oauth2.googleapis.com/token',
    iat: now,
    exp: now + 3600,
    ...claims,
  })}`;
  const signature = sign('sha256', Buffer.from(text), createPrivateKey(key));
  return new URLSearchParams({
    grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer',
    assertion: `${text}.${signature.toString('base64url')}`,
  }).toString();
}

export function requestToken(client: Client, form: string): Promise<Reply> {
  return client.request({ ':method': 'POST', ':path': '/token' }, form);
}

/** Gets an access token and returns the headers of a valid push. */
export async function fcmHeaders(sandbox: Sandbox, client: Client): Promise<OutgoingHttpHeaders> {
  const reply = await requestToken(client, tokenForm(sandbox));
  const { access_token: accessToken } = JSON.parse(reply.body);
  return {
    ':method': 'POST',
    ':path': `/v1/projects/${sandbox.fcm.projectId}/messages:send`,
    authorization: `Bearer ${accessToken}`,
    'content-type': 'application/json',
  };
}

export function fcmBody(fields: Readonly<Record<string, unknown>> = {}): string {
  const message = {
    token: 'phone-1',
    data: { notification_type: 'payment_received' },
    android: { priority: 'high', ttl: '60s' },
    ...fields,
  };
  return JSON.stringify({ message });
}
