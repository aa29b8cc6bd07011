// Google's Application Default Credentials, for operators who have only GOOGLE_CLOUD_PROJECT: a metadata server, as on
// Google's machines, and a workload identity file, as on other clouds' machines.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type RequestListener } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import { beforeEach, expect, it, onTestFinished, vi } from 'vitest';
import type { Sandbox } from '../../sandbox/sandbox.ts';
import type { Clock } from '../../src/core/ports/clock.ts';
import { createFcmProvider } from '../../src/providers/fcm/fcm-provider.ts';
import { createSystemClock } from '../../src/service/system.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { listen, tls } from './http2/peers.ts';
import { accessTokenOf, messageTo, openSandbox, SEND_OPTIONS, TOKENS } from './support.ts';

const folder = mkdtempSync(join(tmpdir(), 'nds-adc-'));

beforeEach(() => {
  // Excludes the credentials of the machine on which the tests run.
  vi.stubEnv('GOOGLE_APPLICATION_CREDENTIALS', undefined);
  vi.stubEnv('GOOGLE_CLOUD_PROJECT', undefined);
  vi.stubEnv('GCLOUD_PROJECT', undefined);
  vi.stubEnv('CLOUDSDK_CONFIG', folder);
  vi.stubEnv('HOME', folder);
  return () => {
    vi.unstubAllEnvs();
    rmSync(join(folder, 'identity.json'), { force: true });
  };
});

/** Lets the library look for a metadata server here; it need not listen yet. */
async function openMetadataServer(answer: RequestListener) {
  const server = createServer((request, response) => {
    // "Query metadata": both sides must send this header.
    response.setHeader('metadata-flavor', 'Google');
    if (request.headers['metadata-flavor'] === 'Google') answer(request, response);
    else response.writeHead(403).end();
  });
  const open = (port: number) =>
    new Promise<number>((resolve) => {
      server.listen(port, '127.0.0.1', () => {
        const address: AddressInfo | string | null = server.address();
        resolve(typeof address === 'object' ? (address?.port ?? 0) : 0);
      });
    });
  const port = await open(0);
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  vi.stubEnv('GCE_METADATA_HOST', `127.0.0.1:${port}`);
  return { server, reopen: () => open(port) };
}

async function setup(clock: Clock = createSystemClock()) {
  const sandbox = await openSandbox();
  const token = await accessTokenOf(sandbox);
  return { sandbox, token, clock };
}

async function openProvider(
  { sandbox, clock }: { sandbox: Sandbox; clock: Clock },
  projectId?: string,
) {
  const provider = await createFcmProvider({
    credentials: 'default',
    projectId,
    endpoint: sandbox.fcm.url,
    ca: sandbox.ca,
    clock,
  });
  onTestFinished(() => provider.close());
  const send = (options: object = {}) =>
    provider.prepare(messageTo('fcm', TOKENS.fcm)).send({ ...SEND_OPTIONS, ...options });
  return { provider, send };
}

function answerWith(token: string, projectId = ''): RequestListener {
  return ({ url = '' }, response) => {
    if (url.includes('/service-accounts/default/token')) {
      response.setHeader('content-type', 'application/json');
      response.end(
        JSON.stringify({ access_token: token, expires_in: 3_599, token_type: 'Bearer' }),
      );
    } else if (url.endsWith('/project/project-id')) {
      response.end(projectId);
    } else {
      response.end('{}');
    }
  };
}

it('gets the access token from the metadata server', async () => {
  const { sandbox, token, clock } = await setup();
  await openMetadataServer(answerWith(token));
  const { provider, send } = await openProvider({ sandbox, clock }, sandbox.fcm.projectId);
  expect(await provider.warm()).toEqual({ ready: true });
  expect(await send()).toMatchObject({ kind: 'delivered' });
});

it('asks the metadata server for the project, too, if none is configured', async () => {
  const { sandbox, token, clock } = await setup();
  await openMetadataServer(answerWith(token, sandbox.fcm.projectId));
  const { send } = await openProvider({ sandbox, clock });
  expect(await send()).toMatchObject({ kind: 'delivered' });
});

it('says so when there are no credentials, and finds them once they are there', async () => {
  const clock = new ManualClock(Date.now());
  const { sandbox, token } = await setup(clock);
  const { server, reopen } = await openMetadataServer(answerWith(token));
  await new Promise((resolve) => server.close(resolve));
  const { provider, send } = await openProvider({ sandbox, clock }, sandbox.fcm.projectId);
  expect(await send()).toEqual({ kind: 'misconfigured', reason: 'oauth_no_credentials' });
  expect(provider.health()).toEqual({
    ready: false,
    detail: expect.stringMatching(/^oauth_no_credentials: .*metadata server/),
  });
  await reopen();
  clock.advance(10_000);
  expect(await send()).toMatchObject({ kind: 'delivered' });
  expect(provider.health()).toEqual({ ready: true });
});

it('takes an absent metadata server for an outage once it has given a token', async () => {
  const clock = new ManualClock(Date.now());
  const { sandbox, token } = await setup(clock);
  const { server, reopen } = await openMetadataServer(answerWith(token));
  const { send } = await openProvider({ sandbox, clock }, sandbox.fcm.projectId);
  expect(await send()).toMatchObject({ kind: 'delivered' });
  await new Promise((resolve) => server.close(resolve));
  clock.advance(3_600_000);
  // The renewal during this time has timed out.
  await new Promise(setImmediate);
  const outage = { kind: 'retry', reason: 'oauth_unavailable', certainty: 'not_processed' };
  expect(await send()).toEqual(outage);
  // Nothing is remembered: the next attempt asks again.
  await reopen();
  expect(await send()).toMatchObject({ kind: 'delivered' });
});

it.each([
  [503, { kind: 'retry', reason: 'oauth_unavailable', certainty: 'not_processed' }],
  [404, { kind: 'misconfigured', reason: 'oauth_refused' }],
])('reads a %i of the metadata server', async (status, outcome) => {
  const { sandbox, token } = await setup();
  const answer = answerWith(token);
  let isFailing = true;
  await openMetadataServer((request, response) => {
    if (isFailing && request.url?.includes('/token')) response.writeHead(status).end('{}');
    else answer(request, response);
  });
  const clock = new ManualClock(Date.now());
  const { send } = await openProvider({ sandbox, clock }, sandbox.fcm.projectId);
  expect(await send()).toEqual(outcome);
  isFailing = false;
  clock.advance(10_000);
  expect(await send()).toMatchObject({ kind: 'delivered' });
});

it('waits for a metadata server that hangs no longer than the push may wait', async () => {
  const clock = new ManualClock(Date.now());
  const { sandbox } = await setup(clock);
  const asked = Promise.withResolvers<void>();
  await openMetadataServer(() => asked.resolve());
  const { send } = await openProvider({ sandbox, clock }, sandbox.fcm.projectId);
  const outcome = send({ waitMs: 1_000 });
  await asked.promise;
  clock.advance(1_000);
  const timeout = { kind: 'retry', reason: 'oauth_timeout' };
  expect(await outcome).toEqual({ ...timeout, certainty: 'not_started' });
  const second = send({ waitMs: 1_500 });
  clock.advance(800);
  expect(await second).toEqual({ ...timeout, certainty: 'not_processed' });
});

it('exchanges the token of a workload identity file', async () => {
  const { sandbox, token, clock } = await setup();
  const forms: URLSearchParams[] = [];
  const exchange = createHttpsServer(tls, async (request, response) => {
    forms.push(new URLSearchParams(await text(request)));
    response.setHeader('content-type', 'application/json');
    response.end(
      JSON.stringify({
        access_token: token,
        issued_token_type: 'urn:ietf:params:oauth:token-type:access_token',
        token_type: 'Bearer',
        expires_in: 3_599,
      }),
    );
  });
  const origin = await listen(exchange);
  // The library exchanges tokens with a client of its own, which trusts only the default authorities.
  const authorities = getCACertificates();
  setDefaultCACertificates([...authorities, sandbox.ca]);
  onTestFinished(() => setDefaultCACertificates(authorities));
  writeFileSync(join(folder, 'subject'), 'token of the other cloud');
  const identity = {
    type: 'external_account',
    audience:
      '//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/x',
    subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
    token_url: `${origin}/v1/token`,
    credential_source: { file: join(folder, 'subject') },
  };
  writeFileSync(join(folder, 'identity.json'), JSON.stringify(identity));
  vi.stubEnv('GOOGLE_APPLICATION_CREDENTIALS', join(folder, 'identity.json'));
  const { send } = await openProvider({ sandbox, clock }, sandbox.fcm.projectId);
  expect(await send()).toMatchObject({ kind: 'delivered' });
  expect(forms.map((form) => [form.get('subject_token'), form.get('scope')])).toEqual([
    ['token of the other cloud', 'https://www.googleapis.com/auth/firebase.messaging'],
  ]);
});
