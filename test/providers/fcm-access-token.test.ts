// The access token for FCM: failures at the token endpoint never delay a push beyond its deadline; and what the
// operator reads about a wrong credential.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished, vi } from 'vitest';
import { sharedIdentity } from '../../sandbox/identity.ts';
import type { Sandbox } from '../../sandbox/sandbox.ts';
import { checkFcmCredentials, checkFcmProjectId } from '../../src/providers/fcm/credential-file.ts';
import { createFcmProvider } from '../../src/providers/fcm/fcm-provider.ts';
import { createSystemClock } from '../../src/service/system.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { openProvider, openSandbox, turn } from './support.ts';

const { apnsKey: EC_KEY, serviceAccountKey: RSA_KEY } = await sharedIdentity();
const MINUTE = 60_000;

async function setup(options: Parameters<typeof openSandbox>[0] = {}) {
  const clock = new ManualClock(Date.now());
  const sandbox = await openSandbox(options);
  return { clock, sandbox, ...(await openProvider('fcm', sandbox, { clock })) };
}

function fetches(sandbox: Sandbox): number {
  return sandbox.requests().filter(({ provider }) => provider === 'oauth').length;
}

function fetched(sandbox: Sandbox, count: number) {
  return sandbox.waitForRequests(({ provider }) => provider === 'oauth', count);
}

it('fetches one token for a cold burst', async () => {
  const { sandbox, send } = await setup();
  await Promise.all(Array.from({ length: 100 }, () => send()));
  expect(fetches(sandbox)).toBe(1);
  expect(sandbox.received()).toHaveLength(100);
});

it('renews the token in the background, 5 minutes before it ends', async () => {
  const { clock, sandbox, provider, send } = await setup();
  await provider.warm();
  // The lifetime is a second less than an hour, and counts from a moment before.
  clock.advance(54 * MINUTE);
  expect(fetches(sandbox)).toBe(1);
  clock.advance(MINUTE);
  await fetched(sandbox, 2);
  expect(await send()).toMatchObject({ kind: 'delivered' });
  expect(fetches(sandbox)).toBe(2);
});

it('continues with the old token while the new one fails, and tries again every 30 s', async () => {
  const { clock, sandbox, provider, send } = await setup();
  await provider.warm();
  sandbox.script({ provider: 'oauth', fault: { kind: 'empty', status: 503 } });
  clock.advance(55 * MINUTE);
  await fetched(sandbox, 2);
  expect(await send()).toMatchObject({ kind: 'delivered' });
  await vi.waitFor(() => {
    clock.advance(30_000);
    expect(fetches(sandbox)).toBe(3);
  });
});

it.each([
  ['invalid_grant', 'oauth_invalid_grant'],
  ['invalid_client', 'oauth_invalid_client'],
  ['unauthorized_client', 'oauth_invalid_client'],
  ['something_new', 'oauth_refused'],
])(
  'takes %s for a broken credential and does not ask again for every push',
  async (error, reason) => {
    const { clock, sandbox, provider, send } = await setup();
    sandbox.script({ provider: 'oauth', fault: { kind: 'oauth_error', error } });
    expect(await send()).toEqual({ kind: 'misconfigured', reason });
    expect(provider.health()).toEqual({
      ready: false,
      detail: expect.stringMatching(new RegExp(`^${reason}: .+\\.$`)),
    });
    expect(await send()).toEqual({ kind: 'misconfigured', reason });
    expect(fetches(sandbox)).toBe(1);
    clock.advance(10_000);
    expect(await send()).toMatchObject({ kind: 'delivered' });
  },
);

it.each([
  ['a 503', { kind: 'empty', status: 503 }],
  ['a 429', { kind: 'oauth_error', error: 'rate_limit', status: 429 }],
  ['a reset connection', { kind: 'reset', scope: 'connection' }],
  ['JSON that breaks off', { kind: 'bad_json' }],
  ['an empty 200', { kind: 'empty', status: 200 }],
] as const)('may try again at once after %s of the token endpoint', async (_name, fault) => {
  const { sandbox, send } = await setup();
  sandbox.script({ provider: 'oauth', fault });
  const reason = 'oauth_unavailable';
  expect(await send()).toEqual({ kind: 'retry', reason, certainty: 'not_processed' });
  expect(await send()).toMatchObject({ kind: 'delivered' });
});

it('waits for a hanging token endpoint no longer than the push may wait', async () => {
  const { clock, sandbox, send } = await setup();
  sandbox.script({ provider: 'oauth', fault: { kind: 'hang' } });
  const outcome = send({ waitMs: 1_000 });
  await fetched(sandbox, 1);
  clock.advance(1_000);
  const failure = { kind: 'retry', reason: 'oauth_timeout' };
  expect(await outcome).toEqual({ ...failure, certainty: 'not_started' });
  // The next one joins the same fetch, which is given up a little later; then a new one begins.
  const second = send();
  await turn();
  clock.advance(800);
  expect(await second).toEqual({ ...failure, certainty: 'not_processed' });
  expect(await send()).toMatchObject({ kind: 'delivered' });
  expect(sandbox.received()).toHaveLength(1);
});

it('asks for no token after it was closed', async () => {
  const { clock, sandbox, provider } = await setup();
  sandbox.script({ provider: 'oauth', fault: { kind: 'hang' } });
  const warmed = provider.warm();
  await fetched(sandbox, 1);
  await provider.close();
  await warmed;
  expect(clock.timers).toBe(0);
});

it('gets a new token when FCM refuses the one it has', async () => {
  const { sandbox, send } = await setup();
  await send();
  sandbox.revokeAccessTokens();
  const outcomes = await Promise.all([send(), send(), send()]);
  const refused = { kind: 'retry', reason: 'UNAUTHENTICATED', certainty: 'not_processed' };
  expect(outcomes).toEqual([refused, refused, refused]);
  expect(await send()).toMatchObject({ kind: 'delivered' });
  expect(fetches(sandbox)).toBe(2);
});

it('takes a new token that FCM refuses, too, for a broken credential', async () => {
  const { clock, sandbox, send } = await setup();
  await send();
  sandbox.script({ provider: 'fcm', times: 3, fault: { kind: 'google_error', status: 401 } });
  expect(await send()).toMatchObject({ kind: 'retry', certainty: 'not_processed' });
  expect(await send()).toEqual({ kind: 'misconfigured', reason: 'UNAUTHENTICATED' });
  clock.advance(MINUTE);
  expect(await send()).toMatchObject({ kind: 'retry', certainty: 'not_processed' });
  expect(await send()).toMatchObject({ kind: 'delivered' });
});

it('reads the credential from a file', async () => {
  const sandbox = await openSandbox();
  const folder = mkdtempSync(join(tmpdir(), 'nds-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const open = async (content: string) => {
    const keyFile = join(folder, 'credential.json');
    writeFileSync(keyFile, content);
    const provider = await createFcmProvider({
      credentials: { keyFile },
      endpoint: sandbox.fcm.url,
      ca: sandbox.ca,
      clock: createSystemClock(),
    });
    onTestFinished(() => provider.close());
    return provider;
  };
  const provider = await open(JSON.stringify(sandbox.fcm.serviceAccount));
  expect(await provider.warm()).toEqual({ ready: true });
  await expect(open(`{"private_key":"${RSA_KEY}"`)).rejects.toThrow(
    /^FCM credential file is not JSON: [^B]*$/,
  );
});

const SERVICE_ACCOUNT = {
  type: 'service_account',
  project_id: 'project',
  client_email: 'a@b.iam.gserviceaccount.com',
  private_key: RSA_KEY,
};

it.each([
  ['a service account', SERVICE_ACCOUNT],
  ['a user', { type: 'authorized_user', client_id: 'i', client_secret: 's', refresh_token: 'r' }],
  [
    'a workload identity',
    { type: 'external_account', audience: 'a', subject_token_type: 't', token_url: 'https://x' },
  ],
])('accepts %s', (_name, json) => {
  expect(checkFcmCredentials(json)).toBeUndefined();
});

it.each([
  ['nothing', null, /not a credential JSON/],
  ['a text', 'text', /not a credential JSON/],
  ['google-services.json', { project_info: {}, client: [] }, /google-services\.json/],
  ['a web configuration', { apiKey: 'k', projectId: 'p' }, /web app/],
  ['an OAuth client', { installed: {} }, /OAuth client/],
  ['something else', {}, /has no "type"/],
  ['another type', { type: 'api_key' }, /none of service_account/],
  ['no email', { ...SERVICE_ACCOUNT, client_email: '' }, /lacks client_email/],
  ['no key', { ...SERVICE_ACCOUNT, private_key: undefined }, /lacks private_key/],
  ['a broken key', { ...SERVICE_ACCOUNT, private_key: RSA_KEY.slice(0, 200) }, /no RSA key/],
  ['an EC key', { ...SERVICE_ACCOUNT, private_key: EC_KEY }, /no RSA key/],
  [
    'escaped twice',
    { ...SERVICE_ACCOUNT, private_key: RSA_KEY.replaceAll('\n', '\\n') },
    /spelled out twice/,
  ],
  ['a token_uri that is none', { ...SERVICE_ACCOUNT, token_uri: 'token' }, /token_uri/],
])('says how to fix %s, without repeating it', (_name, json, expected) => {
  const fault = checkFcmCredentials(json);
  expect(fault).toMatch(expected);
  expect(fault).not.toContain(RSA_KEY.split('\n')[1]);
});

it('names what is missing when it is created', async () => {
  const common = { clock: new ManualClock(), endpoint: 'https://fcm.googleapis.com' };
  const create = (options: { credentials: object; projectId?: string; endpoint?: string }) =>
    createFcmProvider({ ...common, ...options });
  const { project_id: _, ...anonymous } = SERVICE_ACCOUNT;
  await expect(create({ credentials: {} })).rejects.toThrow(/has no "type"/);
  await expect(create({ credentials: anonymous })).rejects.toThrow(/project id is missing/);
  await expect(create({ credentials: anonymous, projectId: '../x' })).rejects.toThrow(
    /project id must be/,
  );
  await expect(create({ credentials: { keyFile: '/nonexistent' } })).rejects.toThrow(
    /cannot be read/,
  );
  await expect(create({ credentials: SERVICE_ACCOUNT, endpoint: 'https://x/v1' })).rejects.toThrow(
    /endpoint must be/,
  );
  expect(checkFcmProjectId('my-project-1')).toBeUndefined();
});

it('writes nothing to stdout or stderr', async () => {
  const written = [vi.spyOn(console, 'warn'), vi.spyOn(console, 'log'), vi.spyOn(console, 'error')];
  const { send } = await setup();
  await send();
  for (const spy of written) {
    expect(spy).not.toHaveBeenCalled();
    spy.mockRestore();
  }
});
