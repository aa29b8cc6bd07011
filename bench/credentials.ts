// The tokens with which a bare client proves itself to the stand-ins: Apple's provider token, Google's access token.

import { createPrivateKey, sign } from 'node:crypto';
import { type ClientHttp2Session, constants } from 'node:http2';
import { z } from 'zod';
import type { Described } from './stand-ins.ts';

const TOKEN_SECONDS = 3_600;
const SCOPE = 'https://www.googleapis.com/auth/firebase.messaging';
const tokenAnswer = z.object({ access_token: z.string() });

/** Apple: "Establishing a token-based connection to APNs". */
export function signProviderToken({ key, keyId, teamId }: Described['apns']): string {
  const text = unsigned({ alg: 'ES256', kid: keyId }, { iss: teamId, iat: nowSeconds() });
  const signature = sign('sha256', Buffer.from(text), {
    key: createPrivateKey(key),
    dsaEncoding: 'ieee-p1363',
  });
  return `${text}.${signature.toString('base64url')}`;
}

/** Google: "Using OAuth 2.0 for Server to Server Applications"; over a connection to the stand-in. */
export async function fetchAccessToken(
  session: ClientHttp2Session,
  { serviceAccount }: Described['fcm'],
): Promise<string> {
  const { client_email: iss, private_key: key = '', token_uri: uri = '' } = serviceAccount;
  const iat = nowSeconds();
  const text = unsigned(
    { alg: 'RS256', typ: 'JWT' },
    {
      iss,
      scope: SCOPE,
      aud: 'https://oauth2.googleapis.com/token',
      iat,
      exp: iat + TOKEN_SECONDS,
    },
  );
  const signature = sign('sha256', Buffer.from(text), createPrivateKey(key));
  const form = new URLSearchParams({
    grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer',
    assertion: `${text}.${signature.toString('base64url')}`,
  });
  const stream = session.request({
    [constants.HTTP2_HEADER_METHOD]: 'POST',
    [constants.HTTP2_HEADER_PATH]: new URL(uri).pathname,
  });
  stream.setEncoding('utf8');
  stream.end(form.toString());
  let answer = '';
  for await (const text of stream) answer += text;
  return tokenAnswer.parse(JSON.parse(answer)).access_token;
}

function unsigned(header: object, claims: object): string {
  return [header, claims]
    .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
    .join('.');
}

function nowSeconds(): number {
  return Math.floor(Date.now() / 1_000);
}
