// Endpoints in NDS_ENDPOINTS and its file: they get events, can be changed only there, and are read again by a reload.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Webhook } from 'standardwebhooks';
import { expect, test } from 'vitest';
import { ConfigError } from '../../../src/config/config.ts';
import { endpointAnswer, listEndpointsAnswer } from '../../../src/http/operator/endpoints.ts';
import { prepare } from '../../../src/service/prepare.ts';
import { createSystemClock } from '../../../src/service/system.ts';
import { refusalOf } from '../../support/callers.ts';
import { BOTH_PROVIDERS } from '../../support/credentials.ts';
import { androidToken } from '../../support/driven-service.ts';
import { headersOf, startReceiver } from '../../support/event-receiver.ts';
import { OPERATOR_ENVIRONMENT, operate, told } from '../../support/operator-calls.ts';
import { type Setup, setup, temporaryFolder } from '../../support/service.ts';

const SECRETS = [1, 2].map((byte) => `whsec_${Buffer.alloc(32, byte).toString('base64')}`);
const [SECRET = '', OTHER_SECRET = ''] = SECRETS;

/** A service whose endpoints are in a file, and a function that changes the file. */
async function start(entries: (url: string) => object) {
  const receiver = await startReceiver();
  const file = join(temporaryFolder(), 'endpoints.json');
  const write = (content: object | string) =>
    writeFileSync(file, typeof content === 'string' ? content : JSON.stringify(content));
  write(entries(receiver.url));
  const running = await setup({
    environment: {
      ...OPERATOR_ENVIRONMENT,
      NDS_ENDPOINT_NETWORKS: '127.0.0.0/8',
      NDS_ENDPOINTS_FILE: file,
    },
  });
  return { receiver, running, write };
}

let lost = 0;

/** Records `delivery.unregistered`, for another phone each time. */
async function lose({ sandbox, notify }: Setup): Promise<void> {
  lost += 1;
  const fault = { kind: 'fcm_error', error: 'UNREGISTERED' } as const;
  sandbox.script({ provider: 'fcm', times: 1, fault });
  await notify(androidToken(lost), 'ab'.repeat(32));
}

async function list(running: Setup) {
  const answer = await operate(running, { path: '/endpoints' });
  return listEndpointsAnswer.parse(told(answer)).endpoints;
}

const DEAD = { enabled_events: ['delivery.unregistered'] };

test('an event arrives, signed by the configured secret; a changed one signs from the reload on, and the earlier beside it', async () => {
  const entry = (secret: string) => (url: string) => [{ name: 'backend', url, secret, ...DEAD }];
  const { receiver, running, write } = await start(entry(SECRET));
  await lose(running);
  const [first] = await receiver.wait(1);
  expect(new Webhook(SECRET).verify(first?.raw ?? '', headersOf(first))).toEqual(first?.event);
  write(entry(OTHER_SECRET)(receiver.url));
  const report = await running.service.reload();
  expect(report).toMatchObject({
    opened: ['endpoint/ep_backend'],
    closed: ['endpoint/ep_backend'],
  });
  await lose(running);
  const [, second] = await receiver.wait(2);
  expect(second?.event.type).toBe('delivery.unregistered');
  // The backend may change its own copy of the secret earlier or later.
  for (const secret of SECRETS) {
    expect(new Webhook(secret).verify(second?.raw ?? '', headersOf(second))).toEqual(second?.event);
  }
});

test('the API changes only whether it is enabled, which survives a restart', async () => {
  const { receiver, running } = await start((url) => [{ name: 'a', url, secret: SECRET, ...DEAD }]);
  const path = '/endpoints/ep_a';
  const change = (body: object) => operate(running, { method: 'PATCH', path, body });
  for (const refused of [
    await change({ description: 'x' }),
    await change({ status: 'disabled', url: receiver.url }),
    await operate(running, { method: 'DELETE', path }),
    await operate(running, { method: 'POST', path: `${path}/secret/rotate` }),
  ]) {
    expect(refusalOf(refused)).toBe('409 endpoint_configured');
    expect(refused.text).toContain('NDS_ENDPOINTS');
  }
  expect(told(await change({ status: 'disabled' }))).toMatchObject({ status: 'disabled' });
  await running.restart();
  expect(await list(running)).toMatchObject([{ status: 'disabled', configured: true }]);
  await lose(running);
  const enabled = endpointAnswer.parse(told(await change({ status: 'enabled' })));
  expect(enabled).toMatchObject({ status: 'enabled' });
  expect(enabled).not.toHaveProperty('secret');
  // It continues where it stopped.
  const [first] = await receiver.wait(1);
  expect(first?.event.type).toBe('delivery.unregistered');
});

test('one that was removed from the configuration is gone with its attempts, and those of the API stay', async () => {
  const { receiver, running, write } = await start((url) => [
    { name: 'old', url: `${url}/old`, secret: SECRET, ...DEAD },
    { name: 'kept', url, secret: SECRET, description: 'goes away', app: 'default', ...DEAD },
  ]);
  const body = { url: `${receiver.url}/api`, enabled_events: ['provider.*'] };
  const made = endpointAnswer.parse(
    told(await operate(running, { method: 'POST', path: '/endpoints', body })),
  );
  await lose(running);
  await receiver.wait(2);
  write([
    { name: 'kept', url: receiver.url, secret: SECRET, ...DEAD },
    { name: 'new', url: receiver.url, secret: OTHER_SECRET },
  ]);
  expect(await running.service.reload()).toEqual({
    opened: ['endpoint/ep_kept', 'endpoint/ep_new'],
    closed: ['endpoint/ep_old', 'endpoint/ep_kept'],
    kept: ['default/apns', 'default/fcm'],
  });
  const ids = async () => (await list(running)).map(({ id }) => id).toSorted();
  expect(await ids()).toEqual([made.id, 'ep_kept', 'ep_new'].toSorted());
  const kept = (await list(running)).find(({ id }) => id === 'ep_kept');
  expect(kept).not.toHaveProperty('description');
  expect(kept).not.toHaveProperty('app');
  expect((await operate(running, { path: '/endpoints/ep_old/attempts' })).status).toBe(404);
  const unchanged = await running.service.reload();
  expect(unchanged.kept.slice(2)).toEqual(['endpoint/ep_kept', 'endpoint/ep_new']);
  await running.restart();
  expect(await ids()).toEqual([made.id, 'ep_kept', 'ep_new'].toSorted());
});

test('a reload with a fault in the file keeps the present endpoints, and names the entry', async () => {
  const { running, write } = await start((url) => [{ name: 'a', url, secret: SECRET }]);
  for (const content of ['{', '[{"name":"b"}]']) {
    write(content);
    const refused = await operate(running, { method: 'POST', path: '/apps/reload' });
    expect(refusalOf(refused)).toBe('409 reload_failed');
    expect(refused.text).toContain('NDS_ENDPOINTS_FILE');
  }
  expect(await list(running)).toMatchObject([{ id: 'ep_a' }]);
});

test('one that answered 410 stays disabled after a restart, and is tried again at another address', async () => {
  const entry = (url: string) => [{ name: 'a', url, secret: SECRET, ...DEAD }];
  const { receiver, running, write } = await start(entry);
  receiver.answer = (response) => response.writeHead(410).end();
  const disabled = running.log.waitFor(({ name }) => name === 'endpoint_disabled');
  await lose(running);
  await disabled;
  receiver.answer = (response) => response.end();
  await running.restart();
  expect(await list(running)).toMatchObject([{ status: 'disabled', disabled_reason: 'gone' }]);
  write(entry(`${receiver.url}/moved`));
  await running.service.reload();
  expect(await list(running)).toMatchObject([{ status: 'enabled' }]);
  const [, second] = await receiver.wait(2);
  expect(second?.event.type).toBe('delivery.unregistered');
});

const GOOD = { name: 'a', url: 'https://backend.example.com/nds?key=hidden', secret: SECRET };

test.each([
  ['no list', GOOD, 'NDS_ENDPOINTS: the JSON:'],
  ['no address', [{ ...GOOD, url: 'hidden' }], 'NDS_ENDPOINTS: 0.url: must be an https URL'],
  ['a password', [{ ...GOOD, url: 'https://u:hidden@example.com' }], '0.url: must not hold a user'],
  [
    'a short secret',
    [GOOD, { ...GOOD, name: 'b', secret: 'hidden' }],
    '1.secret: must be whsec_ and',
  ],
  ['no secret', [{ ...GOOD, secret: undefined }], 'NDS_ENDPOINTS: 0.secret:'],
  [
    'an unknown event',
    [{ ...GOOD, enabled_events: ['delivery.gone'] }],
    '0.enabled_events.0: is no event',
  ],
  [
    'an unknown app',
    [{ ...GOOD, app: 'nobody' }],
    '0.app: there is no such app; there are: default',
  ],
  ['a name twice', [GOOD, GOOD], 'two endpoints have the same name'],
  ['an unusable name', [{ ...GOOD, name: 'A b' }], '0.name: must be 1 to 32 of a-z'],
  ['an unknown field', [{ ...GOOD, events: ['*'] }], 'NDS_ENDPOINTS: 0: '],
  [
    'too many',
    Array.from({ length: 33 }, (_, index) => ({ ...GOOD, name: `n${index}` })),
    'the JSON:',
  ],
  ['no JSON', `[{"secret":"${SECRET}"`, 'NDS_ENDPOINTS is'],
] as const)(
  'the start is refused for %s, and says of which entry without its secret',
  async (_name, content, words) => {
    const NDS_ENDPOINTS = typeof content === 'string' ? content : JSON.stringify(content);
    const environment = { ...BOTH_PROVIDERS, NDS_ENDPOINTS };
    const refused = await prepare(environment, createSystemClock()).catch(
      (error: unknown) => error,
    );
    expect(refused).toBeInstanceOf(ConfigError);
    const said = String(refused);
    expect(said).toContain(words);
    for (const secret of [SECRET.slice(6), 'hidden']) expect(said).not.toContain(secret);
  },
);

test('a missing file, and a list in both variables, are faults', async () => {
  const environment = { ...BOTH_PROVIDERS, NDS_ENDPOINTS_FILE: '/nowhere/endpoints.json' };
  await expect(prepare(environment, createSystemClock())).rejects.toThrow(
    'NDS_ENDPOINTS_FILE names /nowhere/endpoints.json, which cannot be read (ENOENT)',
  );
  await expect(
    prepare({ ...environment, NDS_ENDPOINTS: '[]' }, createSystemClock()),
  ).rejects.toThrow('NDS_ENDPOINTS and NDS_ENDPOINTS_FILE are both set: remove one of them');
});
