// Every fixture goes through the real program, with and without failures: no output and no stored data has a token,
// handle, secret, payload or key in it.

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { z } from 'zod';
import { startSandbox } from '../../sandbox/sandbox.ts';
import { startBinary } from '../support/binary.ts';
import { type Answer, send } from '../support/callers.ts';
import { domainsOf, registerFixture } from '../support/fixture-devices.ts';
import { allSources, type Fixture, loadFixtures, secretsOf } from '../support/fixtures.ts';
import { METRICS_ENVIRONMENT } from '../support/metrics.ts';
import { APP_KEY, REGISTRY_ENVIRONMENT } from '../support/registry.ts';
import { sandboxEnvironment, temporaryFolder } from '../support/service.ts';

const fixtures = loadFixtures(allSources());
/** Shorter texts may occur by chance. */
const MIN_CHARACTERS = 12;
/** Names of types and states are no secrets. */
const NAME = /^(?:[a-z_.]+|[A-Z_]+)$/;

/** The texts in a body, at any depth; for a body that is not JSON, the body. */
function textsIn(body: string): readonly string[] {
  let value: unknown;
  try {
    value = JSON.parse(body);
  } catch {
    return [body];
  }
  const leaves = (part: unknown): readonly string[] => {
    if (typeof part === 'string') return [part];
    return typeof part === 'object' && part !== null ? Object.values(part).flatMap(leaves) : [];
  };
  return leaves(value);
}

/** The texts of a fixture that must not be readable anywhere. */
function secretsIn(fixture: Fixture): readonly string[] {
  const { setup, request, then, device_reply: reply } = fixture;
  const calls = [request, ...then.map((step) => step.request), ...(reply ? [reply] : [])];
  const devices = [
    ...Object.values(setup.registrations),
    ...Object.values(setup.devices_by_user_pubkey).flat(),
  ];
  return [
    ...devices.map(({ token }) => token),
    ...Object.keys(setup.devices_by_user_pubkey),
    ...secretsOf(fixture),
    ...calls.flatMap(({ path, body, headers }) => {
      const query = new URLSearchParams(path.split('?')[1] ?? '');
      const { token, app_data: appData } = Object.fromEntries(query);
      const signatures = Object.entries(headers)
        .filter(([name]) => /signature|webhook-id/i.test(name))
        .map(([, value]) => value);
      return [token ?? '', appData ?? '', ...textsIn(body), ...signatures];
    }),
  ];
}

/** Lines of keys, and the values of the variables. */
function secretsOfEnvironment(environment: Readonly<Record<string, string>>): readonly string[] {
  const {
    APNS_KEY = '',
    GOOGLE_APPLICATION_CREDENTIALS_JSON = '{}',
    NDS_SECRET = '',
  } = environment;
  const { private_key: googleKey } = z
    .object({ private_key: z.string() })
    .parse(JSON.parse(GOOGLE_APPLICATION_CREDENTIALS_JSON));
  const lines = `${APNS_KEY}\n${googleKey}`.split('\n').filter((line) => !line.startsWith('---'));
  return [...lines, NDS_SECRET, REGISTRY_ENVIRONMENT.NDS_BACKEND_KEYS, APP_KEY];
}

test('no output, answer, metric or file of the database has a secret of the calls or the settings', async () => {
  const sandbox = await startSandbox();
  onTestFinished(() => sandbox.close());
  const folder = temporaryFolder();
  const environment = {
    ...sandboxEnvironment(sandbox, folder),
    ...REGISTRY_ENVIRONMENT,
    ...METRICS_ENVIRONMENT,
    NDS_SOURCES: JSON.stringify({ domains: domainsOf(fixtures) }),
    NDS_LOG_LEVEL: 'debug',
    NDS_REPLY_DEADLINE: '1s',
    NDS_TOKEN_RATE: '10000/10000',
    NDS_MAX_DEVICES_PER_USER: '1000',
  };
  const program = await startBinary(environment);
  const { metrics_url: metricsUrl } = z
    .looseObject({ metrics_url: z.string() })
    .parse(await program.said('listening'));
  const host = {
    post: (path: string, body: string | Uint8Array, init: RequestInit = {}) =>
      fetch(`${program.url}${path}`, { method: 'POST', body: Buffer.from(body), ...init }),
  };
  const secrets = new Set([...fixtures.flatMap(secretsIn), ...secretsOfEnvironment(environment)]);
  const told: string[] = [];
  const callAll = async () => {
    const waiting: Promise<readonly Answer[]>[] = [];
    for (const fixture of fixtures) {
      const { adapt, handles } = await registerFixture(host, fixture);
      for (const handle of handles.values()) secrets.add(handle);
      const calls = [fixture.request, ...fixture.then.map((step) => step.request)];
      const answers = Promise.all(
        calls.map((call) => send(program.url, { ...call, path: adapt(call.path) })),
      );
      waiting.push(answers);
      // No phone replies here: the calls that ask one wait until their deadline, all at the same time.
      if (fixture.caller_response === undefined) await answers;
    }
    const answers = (await Promise.all(waiting)).flat();
    told.push(...answers.filter(({ status }) => status !== 200).map(({ text }) => text));
  };
  await callAll();
  // A second time while no push arrives, so that waiting deliveries are in the database.
  await sandbox.startOutage('apns', { kind: 'status_503' });
  await sandbox.startOutage('fcm', { kind: 'status_503' });
  await callAll();
  for (const url of [metricsUrl, `${program.url}/readyz`, `${program.url}/nowhere?token=abcdef`]) {
    told.push(await (await fetch(url)).text());
  }

  const looked = [...secrets].filter((text) => text.length >= MIN_CHARACTERS && !NAME.test(text));
  expect(looked.length).toBeGreaterThan(150);
  const files = () =>
    readdirSync(folder)
      .filter((file) => file.startsWith('nds.sqlite') && !file.endsWith('.sock'))
      .map((file) => [file, readFileSync(join(folder, file))] as const);
  const places = [...files(), ['answers', Buffer.from(told.join('\n'))] as const];
  program.kill('SIGTERM');
  expect(await program.ended).toBe(0);
  places.push(...files(), ['output', Buffer.from(program.output)]);
  expect(program.output.split('\n').length).toBeGreaterThan(1_000);
  // The outputs contain what happened, so searching them proves something.
  for (const name of ['nds.sqlite', 'output']) {
    const bytes = places.find(([place]) => place === name)?.[1];
    expect(bytes?.includes('payment_received'), name).toBe(true);
  }
  const found = places.flatMap(([name, bytes]) =>
    looked.filter((text) => bytes.includes(text)).map((text) => `${name}: ${text}`),
  );
  expect(found).toEqual([]);
});
