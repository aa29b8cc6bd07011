// The commands that ask and change the running service, over its socket; some of them also work while none runs.

import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { askService, expectReadable } from '../support/command.ts';
import { expectNothingSecret, PAYMENT_HASH, USER, withDevice } from '../support/operated.ts';
import { ANDROID_TOKEN, IOS_TOKEN, setup, temporaryFolder } from '../support/service.ts';

test('send prints the way that a push took, with a token, a handle, a device and a URL', async () => {
  const { running, id, urls, nds, given } = await withDevice();
  const url = new URL(urls.notify ?? '');
  const handle = url.pathname.split('/').at(-1) ?? '';
  const ends = [
    await given(ANDROID_TOKEN, 'send', '-'),
    await nds('send', handle),
    await nds('send', id, '--type', 'swap_updated'),
    await given(url.href, 'send', '-'),
    await given(IOS_TOKEN, 'send', '-'),
  ];
  for (const end of ends) {
    expect([end.code, end.stderr]).toEqual([0, '']);
    expectReadable(end);
    expectNothingSecret(end.stdout, running);
    expect(end.stdout).not.toContain(handle);
    expect(end.stdout).toMatch(
      /^(payment_received|swap_updated) to default\/(fcm|apns)(, device [0-9a-f-]{36})?\ntry 1 {3}delivered after \d+ ms\nThe provider took the push\. [^\n]+\nnds find [0-9a-f-]{36}\n$/,
    );
  }
  expect(ends[2]?.stdout).toContain(`swap_updated to default/fcm, device ${id}`);
  expect(ends[4]?.stdout).toContain('default/apns');
  expect(running.sandbox.received().length).toBe(5);
});

test('send says why a push did not arrive', async () => {
  const { running, nds, id } = await withDevice();
  running.sandbox.script({
    token: ANDROID_TOKEN,
    fault: { kind: 'fcm_error', error: 'UNREGISTERED' },
  });
  const dead = await nds('send', id);
  expect([dead.code, dead.stderr]).toEqual([1, '']);
  expect(dead.stdout).toMatch(/^try 1 {3}unregistered \(UNREGISTERED\) after \d+ ms$/m);
  expect(dead.stdout).toContain('Not delivered: unregistered');
  expectReadable(dead);

  const refused = await nds('send', id);
  expect([refused.code, refused.stdout]).toEqual([1, '']);
  expect(refused.stderr).toMatch(/^nds send: .* \(410 token_unregistered/);
  for (const [to, code] of [
    ['01a219cd-970d-71cf-867d-9332ecd8c762', 'unknown_device'],
    ['AAAAAAAAAAAAAAAAAAAAAA', 'unknown_handle'],
    ['<740f4707 bebcf74f>', 'is not a push token'],
  ] as const) {
    const { stderr } = await nds('send', to);
    expect(stderr).toContain(code);
    expect(stderr).not.toContain(to);
  }
});

test('send --watch waits for the end of a push that is tried again', async () => {
  const { running, nds, id } = await withDevice();
  running.sandbox.script({
    token: ANDROID_TOKEN,
    fault: { kind: 'fcm_error', error: 'UNAVAILABLE' },
  });
  const end = await nds('send', id, '--watch', '--json');
  expect(end.stderr).toBe('');
  const { status, attempts } = z
    .looseObject({ status: z.string(), attempts: z.array(z.unknown()) })
    .parse(JSON.parse(end.stdout));
  expect([end.code, status, attempts.length]).toEqual([0, 'delivered', 2]);
});

test('retry tries a waiting delivery at once, and refuses one that has ended', async () => {
  const { running, nds, id } = await withDevice();
  running.sandbox.script({
    token: ANDROID_TOKEN,
    fault: { kind: 'fcm_error', error: 'UNAVAILABLE', retryAfterSeconds: 600 },
  });
  const { stdout } = await nds('send', id, '--type', 'swap_updated', '--json');
  const pushed = z.looseObject({ id: z.string(), status: z.string() }).parse(JSON.parse(stdout));
  expect(pushed.status).toBe('queued');
  const settled = running.log.waitFor(({ name }) => name === 'delivery_settled');
  const end = await nds('retry', pushed.id);
  expect([end.code, end.stdout]).toEqual([0, `An attempt starts now.\nnds find ${pushed.id}\n`]);
  expect(await settled).toMatchObject([{ status: 'delivered' }]);

  const { stdout: done } = await nds('send', IOS_TOKEN, '--json');
  const ended = z.looseObject({ id: z.string() }).parse(JSON.parse(done));
  const refused = await nds('retry', ended.id);
  expect([refused.code, refused.stdout]).toEqual([1, '']);
  expect(refused.stderr).toMatch(/\(409 content_erased/);
  expect((await nds('retry', 'aa')).stderr).toMatch(/\(404 unknown_delivery/);
});

/** Makes a token dead according to its provider. */
async function condemn({ running }: Awaited<ReturnType<typeof withDevice>>): Promise<void> {
  running.sandbox.script({
    token: ANDROID_TOKEN,
    fault: { kind: 'fcm_error', error: 'UNREGISTERED' },
  });
  await running.notify(ANDROID_TOKEN, PAYMENT_HASH);
  await running.service.settled();
}

test('token shows why a token gets no pushes, and releases it', async () => {
  const started = await withDevice();
  const { running, given } = started;
  const fine = await given(ANDROID_TOKEN, 'token', 'show', '-');
  expect([fine.code, fine.stdout]).toEqual([
    0,
    expect.stringMatching(/^fingerprint [0-9a-f]{32}\nIt is sent to\.\n$/),
  ]);
  await condemn(started);
  const held = await given(ANDROID_TOKEN, 'token', 'show', '-');
  expect(held.code).toBe(1);
  expectReadable(held);
  expectNothingSecret(held.stdout, running);
  expect(held.stdout).toMatch(
    /^Not sent to at default\/fcm: the provider says that it is dead \(UNREGISTERED\)\.\n {2}since /m,
  );
  const released = await given(ANDROID_TOKEN, 'token', 'release', '-');
  expect([released.code, released.stdout]).toEqual([
    0,
    expect.stringMatching(/^Released: the next call is sent\. Pushes that wait/),
  ]);
  expect((await running.notify(ANDROID_TOKEN, 'bb'.repeat(32))).status).toBe(200);
  const again = await given(ANDROID_TOKEN, 'token', 'release', '-');
  expect([again.code, again.stdout]).toEqual([1, 'It was not held.\n']);
});

test('token does not call a token good that cannot be one', async () => {
  const { given } = await withDevice();
  for (const text of [IOS_TOKEN.slice(1), `<${IOS_TOKEN}>`, 'null', 'x'.repeat(9_000)]) {
    for (const command of ['show', 'release']) {
      const { code, stdout, stderr } = await given(text, 'token', command, '-');
      expect([code, stdout]).toEqual([2, '']);
      expect(stderr).toMatch(/^nds token: as a token, this (is|must) [^\n]+\n$/);
      expect(stderr).not.toContain(text.slice(0, 20));
    }
  }
});

test('forget removes a user and a token from registry and log', async () => {
  const { running, id, nds, given } = await withDevice();
  expect(await nds('send', id)).toMatchObject({ code: 0 });
  await running.service.settled();
  const end = await nds('forget', USER);
  expect([end.code, end.stderr]).toEqual([0, '']);
  expectReadable(end);
  expect(end.stdout).toBe(
    'Forgotten: 1 device with handles and quarantine.\n' +
      '1 delivery in the log name neither token nor device any more.\n',
  );
  expect((await nds('devices', 'list')).stdout).toBe('');
  // The routes that the command tried without success are in the log by now, but they are not calls of this device.
  await running.service.settled();
  expect(await nds('find', id)).toMatchObject({
    code: 1,
    stdout: expect.stringContaining('Nothing known about it'),
  });
  await running.notify(IOS_TOKEN, PAYMENT_HASH);
  await running.service.settled();
  const token = await given(IOS_TOKEN, 'forget', '-', '--json');
  expect(JSON.parse(token.stdout)).toEqual({ known: true, devices: 0, deliveries: 1 });
  const unknown = await nds('forget', 'nobody');
  expect([unknown.code, unknown.stdout]).toEqual([
    1,
    'Neither a user nor a token that is known.\n',
  ]);
});

test('apps are listed and read again; a faulty file keeps the old ones', async () => {
  const folder = temporaryFolder();
  const file = join(folder, 'apps.json');
  writeFileSync(file, '{}');
  const running = await setup({ environment: { NDS_APPS_FILE: file } });
  const { environment } = running;
  const list = await askService(['apps', 'list'], { environment });
  expect([list.code, list.stdout]).toEqual([0, 'ready    default/apns\nready    default/fcm\n']);
  const reload = await askService(['apps', 'reload'], { environment });
  expect([reload.code, reload.stdout]).toEqual([0, 'kept: default/apns, default/fcm\n']);
  writeFileSync(file, '{"second":{}}');
  const refused = await askService(['apps', 'reload'], { environment });
  expect([refused.code, refused.stdout]).toEqual([1, '']);
  expect(refused.stderr).toContain('second has neither apns nor fcm');
  expect(refused.stderr).toContain('409 reload_failed');
});

test('while no service runs, registry and quarantine are changed in the database itself', async () => {
  const started = await withDevice();
  const { running, environment, id, nds, given } = started;
  await condemn(started);
  await running.service.stop();
  expect((await nds('devices', 'list')).stdout).toContain(id);
  expect((await given(ANDROID_TOKEN, 'token', 'show', '-')).code).toBe(1);
  expect((await given(ANDROID_TOKEN, 'token', 'release', '-')).code).toBe(0);
  const end = await nds('forget', USER);
  expect([end.code, end.stderr, end.stdout.split('\n')[0]]).toEqual([
    0,
    '',
    'Forgotten: 1 device with handles and quarantine.',
  ]);
  expect(existsSync(`${environment.NDS_DATABASE}.owner.json`)).toBe(false);
  await running.restart();
  expect((await nds('devices', 'list')).stdout).toBe('');
  expect((await running.notify(ANDROID_TOKEN, 'cc'.repeat(32))).status).toBe(200);
});

test('commands that need a service say where they expected one, and how to start it', async () => {
  const { running, environment, nds } = await withDevice();
  await running.service.stop();
  for (const args of [
    ['send', IOS_TOKEN],
    ['retry', '01a219cd-970d-71cf-867d-9332ecd8c762'],
    ['apps', 'reload'],
    ['devices', 'import', '-'],
  ]) {
    const end = await nds(...args);
    expect([end.code, end.stdout], args[0]).toEqual([1, '']);
    expect(end.stderr).toBe(
      `nds ${args[0]}: No service listens at ${environment.NDS_DATABASE}.sock: start it by \`nds serve\`, or set NDS_DATABASE to that of the service.\n`,
    );
  }
});
