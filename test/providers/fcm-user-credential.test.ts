// The access token of a user's credential instead of a service account's, from a token endpoint that the test provides.

import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { expect, it, onTestFinished } from 'vitest';
import { sharedIdentity } from '../../sandbox/identity.ts';
import { AccessTokenCache } from '../../src/providers/fcm/access-token-cache.ts';
import { readCredentials } from '../../src/providers/fcm/credential-file.ts';
import { trustAlso } from '../../src/providers/http2/connect.ts';
import { ManualClock } from '../support/manual-clock.ts';

const MINUTE = 60_000;

/** A credential of a user whose token endpoint gives this answer and records the questions. */
async function userCredential(answer: string) {
  const identity = await sharedIdentity();
  const forms: string[] = [];
  const server = createServer(
    { key: identity.certificateKey, cert: identity.certificate },
    async (request, response) => {
      forms.push(await text(request));
      response.setHeader('content-type', 'application/json');
      response.end(answer);
    },
  );
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  const address: AddressInfo | string | null = server.address();
  const port = typeof address === 'object' ? address?.port : undefined;
  const json = {
    type: 'authorized_user',
    client_id: 'client',
    client_secret: 'quiet',
    refresh_token: 'refresh',
    quota_project_id: 'payer',
    token_uri: `https://localhost:${port}/anywhere`,
  };
  const clock = new ManualClock(Date.now());
  const credential = new AccessTokenCache({
    json: await readCredentials(json),
    projectId: 'nds-sandbox',
    authorities: trustAlso(identity.ca),
    clock,
  });
  onTestFinished(() => credential.close());
  return { clock, credential, forms };
}

it('asks with the refresh token of a user, for the project that pays', async () => {
  const { clock, credential, forms } = await userCredential(
    '{"access_token":"secret","expires_in":1800,"token_type":"Bearer"}',
  );
  expect(await credential.wait(2_000)).toMatchObject({
    kind: 'token',
    token: { headers: { authorization: 'Bearer secret', 'x-goog-user-project': 'payer' } },
  });
  expect(forms).toEqual([expect.stringMatching(/grant_type=refresh_token/)]);
  clock.advance(25 * MINUTE);
  expect(credential.current).toBeDefined();
  credential.close();
  clock.advance(6 * MINUTE);
  expect(credential.current).toBeUndefined();
});

it.each(['', ',"expires_in":"soon"', ',"expires_in":{}'])(
  'keeps a token whose lifetime is unreadable for most of an hour: {…%s}',
  async (lifetime) => {
    const { clock, credential, forms } = await userCredential(
      `{"access_token":"secret"${lifetime}}`,
    );
    await credential.wait(2_000);
    clock.advance(54 * MINUTE);
    expect(credential.current).toBeDefined();
    expect(forms).toHaveLength(1);
  },
);
