// The token endpoint: which assertions get an access token, and its faults.
import { generateKeyPairSync } from 'node:crypto';
import { afterEach, expect, test } from 'vitest';
import { type SandboxOptions, startSandbox } from '../../sandbox/sandbox.ts';
import { fcmBody, fcmHeaders, openClient, requestToken, tokenForm } from './clients.ts';

const cleanups: (() => void | Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0)) await cleanup();
});

async function setup(options: SandboxOptions = {}) {
  const sandbox = await startSandbox(options);
  const client = openClient(sandbox.fcm.url, sandbox.ca);
  cleanups.push(
    () => client.session.destroy(),
    () => sandbox.close(),
  );
  return { sandbox, client };
}

test('gives an access token for a valid assertion', async () => {
  const { sandbox, client } = await setup();
  const reply = await requestToken(client, tokenForm(sandbox));
  expect(reply.status).toBe(200);
  expect(JSON.parse(reply.body)).toEqual({
    access_token: expect.stringMatching(/^ya29\./),
    expires_in: 3599,
    token_type: 'Bearer',
  });
  expect(sandbox.requests()).toMatchObject([{ provider: 'oauth', status: 200 }]);
});

test('takes its own token URL as audience and the wider scope', async () => {
  const { sandbox, client } = await setup();
  const aud = sandbox.fcm.serviceAccount.token_uri;
  expect(aud).toBe(`${sandbox.fcm.url}/token`);
  const scope = 'openid https://www.googleapis.com/auth/cloud-platform';
  expect(await requestToken(client, tokenForm(sandbox, { aud, scope }))).toMatchObject({
    status: 200,
  });
});

test('refuses an access token when its lifetime is over', async () => {
  const { sandbox, client } = await setup({ accessTokenSeconds: 0 });
  const headers = await fcmHeaders(sandbox, client);
  expect(await client.request(headers, fcmBody())).toMatchObject({ status: 401 });
});

const now = (): number => Math.floor(Date.now() / 1000);
const stranger = generateKeyPairSync('rsa', { modulusLength: 2048 })
  .privateKey.export({ type: 'pkcs8', format: 'pem' })
  .toString();

test.each([
  ['of another key', { key: stranger }, 'invalid_grant'],
  ['of another account', { iss: 'someone@else.example' }, 'invalid_grant'],
  ['for another audience', { aud: 'https://example.com/token' }, 'invalid_grant'],
  ['that is over', { iat: now() - 7200, exp: now() - 3600 }, 'invalid_grant'],
  ['from the future', { iat: now() + 600, exp: now() + 4200 }, 'invalid_grant'],
  ['that lives too long', { exp: now() + 7200 }, 'invalid_grant'],
  ['without the scope', { scope: 'openid' }, 'invalid_scope'],
])('refuses an assertion %s', async (_what, parts, error) => {
  const { sandbox, client } = await setup();
  const reply = await requestToken(client, tokenForm(sandbox, parts));
  expect(reply.status).toBe(400);
  expect(JSON.parse(reply.body)).toMatchObject({ error, error_description: expect.any(String) });
});

test('refuses another grant and a form without assertion', async () => {
  const { client } = await setup();
  const other = await requestToken(client, 'grant_type=password');
  expect(JSON.parse(other.body)).toMatchObject({ error: 'unsupported_grant_type' });
  const grant = 'urn:ietf:params:oauth:grant-type:jwt-bearer';
  const empty = await requestToken(client, new URLSearchParams({ grant_type: grant }).toString());
  expect(JSON.parse(empty.body)).toMatchObject({ error: 'invalid_grant' });
});

test('has its own faults, which are never used for pushes', async () => {
  const { sandbox, client } = await setup();
  const headers = await fcmHeaders(sandbox, client);
  sandbox.script({ fault: { kind: 'oauth_error' } });
  sandbox.script({ fault: { kind: 'oauth_error', status: 503, error: 'internal_failure' } });
  sandbox.script({ provider: 'oauth', fault: { kind: 'bad_json' } });
  sandbox.script({ provider: 'oauth', fault: { kind: 'hang' } });
  expect(await client.request(headers, fcmBody())).toMatchObject({ status: 200 });
  const form = tokenForm(sandbox);
  const denied = await requestToken(client, form);
  expect(denied.status).toBe(400);
  expect(JSON.parse(denied.body).error).toBe('invalid_grant');
  expect(await requestToken(client, form)).toMatchObject({ status: 503 });
  const broken = await requestToken(client, form);
  expect(() => JSON.parse(broken.body)).toThrow(SyntaxError);
  const hanging = requestToken(client, form);
  await sandbox.waitForRequests(({ reason }) => reason === 'hang', 1);
  client.session.destroy();
  expect((await hanging).status).toBeUndefined();
});

test('does not use faults for any provider at the token endpoint', async () => {
  const { sandbox, client } = await setup();
  sandbox.script({ fault: { kind: 'html' } });
  const headers = await fcmHeaders(sandbox, client);
  expect(await client.request(headers, fcmBody())).toMatchObject({ status: 502 });
});
