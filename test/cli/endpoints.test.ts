// `nds endpoints`: where events are sent, over the socket and while no service runs.

import { Webhook } from 'standardwebhooks';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { askService, type CommandEnd, expectReadable } from '../support/command.ts';
import { headersOf, startReceiver } from '../support/event-receiver.ts';
import { ANDROID_TOKEN, setup } from '../support/service.ts';

const HASH = 'ab'.repeat(32);
const SECRET = /whsec_[A-Za-z0-9+/]{43}=/;

const registered = z.looseObject({ id: z.string(), secret: z.string(), url: z.string() });

async function start(settings: Readonly<Record<string, string>> = {}) {
  const receiver = await startReceiver();
  const running = await setup({
    environment: { NDS_ENDPOINT_NETWORKS: '127.0.0.0/8', ...settings },
  });
  const { environment } = running;
  const nds = (...args: readonly string[]) => askService(['endpoints', ...args], { environment });
  const add = async (...args: readonly string[]) => {
    const { stdout } = await nds('add', receiver.url, '--json', ...args);
    return registered.parse(JSON.parse(stdout));
  };
  /** Records `delivery.unregistered` and `device.quarantined`. */
  const lose = async () => {
    const fault = { kind: 'fcm_error', error: 'UNREGISTERED' } as const;
    running.sandbox.script({ provider: 'fcm', times: 1, fault });
    await running.notify(ANDROID_TOKEN, HASH);
  };
  return { receiver, running, environment, nds, add, lose };
}

/** Fails for an error, for a line that a terminal would break, and for a secret. */
function expectPlain(end: CommandEnd): void {
  expect([end.code, end.stderr]).toEqual([0, '']);
  expectReadable(end);
  expect(end.stdout).not.toMatch(SECRET);
}

test('an endpoint is added with a secret that is shown once, listed, shown and deleted', async () => {
  const { receiver, nds, environment } = await start();
  const input = `${receiver.url}?key=hidden\n`;
  const args = ['--events', 'delivery.*, device.silent', '--description', 'the backend'];
  const added = await askService(['endpoints', 'add', '-', ...args], { environment, input });
  expect([added.code, added.stderr]).toEqual([0, '']);
  expectReadable(added);
  const id = /^endpoint {7}(ep_[0-9a-f-]{36})$/m.exec(added.stdout)?.[1] ?? '';
  expect(added.stdout.replace(SECRET, 'whsec_…').replace(id, 'ep_…').split('\n')).toEqual([
    'endpoint       ep_…',
    `URL            ${receiver.url}?key=hidden`,
    'events         delivery.*, device.silent',
    'description    the backend',
    'status         enabled',
    expect.stringMatching(/^created {8}\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.000Z$/),
    'secret         whsec_…',
    'The secret is not shown again: give it to the receiver.',
    '',
  ]);
  const listed = await nds('list');
  expectPlain(listed);
  expect(listed.stdout).toBe(`${id}  enabled   ${receiver.url.slice(0, 29)}…\n`);
  const shown = await nds('show', id);
  expectPlain(shown);
  expect(shown.stdout).toBe(
    added.stdout
      .split('\n')
      .slice(0, 6)
      .map((line) => `${line}\n`)
      .join(''),
  );
  for (const end of [await nds('list', '--json'), await nds('show', id, '--json')]) {
    expect(end.stdout).not.toMatch(SECRET);
    expect(JSON.parse(end.stdout)).toMatchObject({ id, object: 'endpoint', status: 'enabled' });
  }
  const deleted = await nds('delete', id);
  expectPlain(deleted);
  expect(deleted.stdout).toBe('Deleted: it gets no more events.\n');
  expect((await nds('list')).stdout).toBe('');
  const gone = await nds('show', id);
  expect([gone.code, gone.stdout]).toEqual([1, '']);
  expect(gone.stderr).toMatch(
    /^nds endpoints: .*lists all endpoints.* \(404 unknown_endpoint\)\n$/,
  );
});

test('an endpoint is changed, stopped and started again, and gets another secret', async () => {
  const { receiver, nds, add } = await start();
  const { id, secret } = await add();
  const changed = await nds('update', id, '--events', 'provider.*', '--description', 'b');
  expectPlain(changed);
  expect(changed.stdout).toMatch(/^events {9}provider\.\*$/m);
  expect(changed.stdout).toContain('description    b\n');
  const stopped = await nds('update', id, '--status', 'disabled');
  expect(stopped.stdout).toContain('status         disabled: by hand\n');
  expect((await nds('list')).stdout).toMatch(/^ep_\S+ {2}disabled {2}http/);
  expect((await nds('update', id, '--status', 'enabled')).stdout).toContain(
    'status         enabled\n',
  );
  const rotated = await nds('rotate', id);
  expect([rotated.code, rotated.stderr]).toEqual([0, '']);
  const [next = ''] = SECRET.exec(rotated.stdout) ?? [];
  expect(next).not.toBe(secret);
  await nds('test', id);
  const [ping] = await receiver.wait(1);
  for (const one of [secret, next]) {
    expect(() => new Webhook(one).verify(ping?.raw ?? '', headersOf(ping))).not.toThrow();
  }
});

test('a test shows its result, and attempts are listed with the events that can be sent again', async () => {
  const { receiver, nds, add, lose } = await start();
  const { id } = await add('--events', 'delivery.*');
  const tested = await nds('test', id);
  expectPlain(tested);
  expect(tested.stdout).toMatch(/^Delivered: 200 after \d+ ms\.\n$/);
  await lose();
  const [, first] = await receiver.wait(2);
  const event = String(first?.headers['webhook-id']);
  receiver.answer = (response) => response.writeHead(503).end();
  const again = await nds('redeliver', id, event);
  expect([again.code, again.stderr]).toEqual([1, '']);
  expect(again.stdout).toMatch(/^Not delivered: 503 after \d+ ms\.\n$/);

  const attempts = await nds('attempts', id);
  expectPlain(attempts);
  const time = String.raw`\d{4}-\d\d-\d\d \d\d:\d\d:\d\d`;
  expect(attempts.stdout.trimEnd().split('\n')).toEqual([
    expect.stringMatching(new RegExp(`^${time}  failed     delivery\\.unregistered$`)),
    expect.stringMatching(new RegExp(`^  ${event}  503 after \\d+ ms$`)),
    expect.stringMatching(new RegExp(`^${time}  delivered  delivery\\.unregistered$`)),
    expect.stringMatching(new RegExp(`^  ${event}  200 after \\d+ ms$`)),
    expect.stringMatching(new RegExp(`^${time}  delivered  test\\.ping$`)),
    expect.stringMatching(/^ {2}evt_[0-9a-f-]{36} {2}200 after \d+ ms$/),
  ]);
  const lines = (await nds('attempts', id, '--json')).stdout.trimEnd().split('\n');
  expect(lines.map((line) => JSON.parse(line))).toMatchObject([
    { event, outcome: 'failed', status: 503, reason: 'http_503' },
    { event, outcome: 'delivered' },
    { type: 'test.ping' },
  ]);
  receiver.server.closeAllConnections();
  await new Promise((resolve) => receiver.server.close(resolve));
  const alone = await nds('test', id);
  expectReadable(alone);
  expect([alone.code, alone.stdout]).toEqual([
    1,
    expect.stringMatching(
      /^Not delivered: connection_refused after \d+ ms\.\nNothing listens there: .*\n$/,
    ),
  ]);
  await new Promise<void>((resolve) => {
    receiver.server.listen(Number(new URL(receiver.url).port), '127.0.0.1', resolve);
  });
  receiver.answer = (response) => response.end();
  const back = await nds('redeliver', id, '--since', '1h');
  expectPlain(back);
  expect(back.stdout).toMatch(/^Everything since \S+Z that is kept is sent again\.\n$/);
  const [, , , last] = await receiver.wait(4);
  expect(last?.headers['webhook-id']).toBe(event);
});

test('errors say what to do, without the address or a secret', async () => {
  const { nds, add } = await start();
  const { id } = await add();
  for (const [args, words] of [
    [
      ['add', 'https://169.254.169.254/x'],
      'url must lead to the public internet, or to a network of NDS_ENDPOINT_NETWORKS (400 bad_body)',
    ],
    [['add', 'nonsense'], 'url must be an https URL'],
    [['add', 'http://127.0.0.1:9/', '--app', 'nobody'], 'app is no configured app'],
    [
      ['add', 'http://127.0.0.1:9/', '--events', 'delivery.gone'],
      'must be the name of an event or of a group',
    ],
    [['redeliver', id], 'event must be given, or `since` in its place'],
    [
      ['redeliver', id, 'evt_x'],
      'No event has this id, or it is older than 24 hours: `nds endpoints attempts ID` lists the last calls. (404 unknown_event)',
    ],
    [['redeliver', id, '--since', 'noon'], 'since must be a time such as'],
    [['rotate', 'ep_none'], '(404 unknown_endpoint)'],
  ] as const) {
    const end = await nds(...args);
    expect([end.code, end.stdout], args.join(' ')).toEqual([1, '']);
    expect(end.stderr).toContain(words);
    expect(end.stderr).not.toContain('169.254');
  }
  for (const args of [
    ['show', ' '],
    ['add', ''],
    ['redeliver', ''],
  ]) {
    const end = await nds(...args);
    expect(end).toEqual({ code: 2, stdout: '', stderr: 'nds endpoints: the argument is empty\n' });
  }
  expect((await nds('update', id, '--status', 'off')).code).toBe(2);
});

test('an endpoint of the configuration can be stopped and tested, but other changes belong there', async () => {
  const receiver = await startReceiver();
  const secret = `whsec_${Buffer.alloc(32, 5).toString('base64')}`;
  const NDS_ENDPOINTS = JSON.stringify([{ name: 'backend', url: receiver.url, secret }]);
  const { nds } = await start({ NDS_ENDPOINTS });
  const shown = await nds('show', 'ep_backend');
  expectPlain(shown);
  expect(shown.stdout).toContain('configured     by NDS_ENDPOINTS\n');
  for (const args of [['update', '--events', '*'], ['delete'], ['rotate']]) {
    const [command = '', ...options] = args;
    const end = await nds(command, 'ep_backend', ...options);
    expect([end.code, end.stdout], command).toEqual([1, '']);
    expect(end.stderr).toContain('NDS_ENDPOINTS');
    expect(end.stderr).toContain('(409 endpoint_configured)');
  }
  expect((await nds('update', 'ep_backend', '--status', 'disabled')).code).toBe(0);
  expect((await nds('test', 'ep_backend')).code).toBe(0);
});

test('while no service runs, endpoints are changed in the database, and nothing is sent', async () => {
  const { receiver, running, nds, add, lose } = await start();
  const { id } = await add('--events', 'delivery.*');
  await lose();
  await receiver.wait(1);
  // The call is recorded after its answer has arrived.
  while ((await nds('attempts', id)).stdout === '');
  await running.service.stop();
  expect((await nds('list')).stdout).toContain(id);
  const added = await nds('add', receiver.url, '--description', 'made offline');
  expect(added.stdout).toMatch(SECRET);
  const other = /ep_[0-9a-f-]{36}/.exec(added.stdout)?.[0] ?? '';
  expect((await nds('update', id, '--description', 'changed offline')).code).toBe(0);
  expect((await nds('attempts', id)).stdout).toContain('delivery.unregistered');
  expect((await nds('redeliver', id, '--since', '1h')).code).toBe(0);
  expect((await nds('delete', other)).code).toBe(0);
  for (const args of [
    ['test', id],
    ['redeliver', id, 'evt_x'],
  ]) {
    const end = await nds(...args);
    expect([end.code, end.stdout]).toEqual([1, '']);
    expect(end.stderr).toContain('start it by `nds serve`');
  }
  expect(receiver.received).toHaveLength(1);
  await running.restart();
  const [, again] = await receiver.wait(2);
  expect(again?.event.type).toBe('delivery.unregistered');
  expect((await nds('show', id)).stdout).toContain('changed offline');
  expect((await nds('show', other)).stderr).toContain('404 unknown_endpoint');
});

test('an e-mail address is added with its digest, and has no secret', async () => {
  const { nds } = await start({
    NDS_SMTP_URL: 'smtp://127.0.0.1:9',
    NDS_SMTP_FROM: 'nds@vendor.example',
  });
  const added = await nds('add', 'ops@vendor.example', '--digest', 'hourly');
  expectPlain(added);
  const [id = ''] = /ep_[0-9a-f-]{36}/.exec(added.stdout) ?? [];
  expect(added.stdout.replace(/created.*\n/, '').split('\n')).toEqual([
    `endpoint       ${id}`,
    'e-mail         ops@vendor.example',
    'digest         hourly',
    'events         *',
    'status         enabled',
    '',
  ]);
  expect((await nds('list')).stdout).toBe(`${id}  enabled   ops@vendor.example\n`);
  expect((await nds('update', id, '--digest', 'daily')).stdout).toContain('digest         daily\n');
  const rotated = await nds('rotate', id);
  expect([rotated.code, rotated.stdout]).toEqual([1, '']);
  expect(rotated.stderr).toContain('(409 email_endpoint)');
  const { code, stdout } = await nds('test', id);
  expect([code, stdout]).toEqual([
    1,
    expect.stringMatching(
      /^Not delivered: connection_refused after \d+ ms\.\nCheck host and port in NDS_SMTP_URL/,
    ),
  ]);
});
