// An ordinary service account uses Google's own token endpoint, with the one scope that pushes need. A stand-in for
// Google replaces the `fetch` that the library calls.

import { HttpResponse, http } from 'msw';
import { setupServer } from 'msw/node';
import { expect, onTestFinished, test } from 'vitest';
import { createIdentity } from '../../sandbox/identity.ts';
import { createFcmProvider } from '../../src/providers/fcm/fcm-provider.ts';
import { createSystemClock } from '../../src/service/system.ts';

const GOOGLE = 'https://oauth2.googleapis.com/token';

/** Takes every request to Google's address and records its form. */
function standInForGoogle(): { readonly forms: URLSearchParams[] } {
  const forms: URLSearchParams[] = [];
  const server = setupServer(
    http.post(GOOGLE, async ({ request }) => {
      forms.push(new URLSearchParams(await request.text()));
      return HttpResponse.json({
        access_token: 'ya29.test',
        expires_in: 3_599,
        token_type: 'Bearer',
      });
    }),
  );
  server.listen();
  onTestFinished(() => server.close());
  return { forms };
}

test('a service account of Google gets its access token from Google', async () => {
  const google = standInForGoogle();
  const identity = await createIdentity();
  const provider = await createFcmProvider({
    credentials: {
      type: 'service_account',
      project_id: 'demo',
      client_email: 'nds@demo.iam.gserviceaccount.com',
      private_key: identity.serviceAccountKey,
      token_uri: GOOGLE,
    },
    // Nothing listens here: only the credential is tested.
    endpoint: 'https://127.0.0.1:1',
    clock: createSystemClock(),
  });
  onTestFinished(() => provider.close());
  await provider.warm();
  expect(google.forms).toHaveLength(1);
  const [form] = google.forms;
  expect(form?.get('grant_type')).toBe('urn:ietf:params:oauth:grant-type:jwt-bearer');
  const claims: unknown = JSON.parse(
    Buffer.from(form?.get('assertion')?.split('.')[1] ?? '', 'base64url').toString('utf8'),
  );
  expect(claims).toMatchObject({
    iss: 'nds@demo.iam.gserviceaccount.com',
    aud: GOOGLE,
    scope: 'https://www.googleapis.com/auth/firebase.messaging',
  });
});
