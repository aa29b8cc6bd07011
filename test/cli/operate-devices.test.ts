// `nds devices`: imported, listed, shown and revoked, over the socket of the running service.

import { writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { expect, test } from 'vitest';
import { askService, expectReadable } from '../support/command.ts';
import { expectNothingSecret, imported, USER, withDevice } from '../support/operated.ts';
import { ANDROID_TOKEN, IOS_TOKEN, setup } from '../support/service.ts';

test('importing devices again makes no further handles, and faults name their line', async () => {
  const { running, environment, id, urls } = await withDevice();
  const file = join(running.folder, 'devices.ndjson');
  const lines = [
    JSON.stringify({ platform: 'android', token: ANDROID_TOKEN, user: USER }),
    '',
    '{"platform":"windows","token":"x"}',
    'no JSON',
    JSON.stringify({ platform: 'ios', token: IOS_TOKEN }),
  ];
  writeFileSync(file, lines.join('\r\n'));
  const end = await askService(['devices', 'import', file], { environment });
  expect([end.code, end.stderr]).toEqual([1, '1 added, 1 known before, 2 refused.\n']);
  const answers = end.stdout
    .trim()
    .split('\n')
    .map((line) => imported.parse(JSON.parse(line)));
  expect(answers).toMatchObject([
    { line: 1, status: 'known', id, urls },
    { line: 3, status: 'refused', code: 'bad_body' },
    { line: 4, status: 'refused', code: 'bad_body' },
    { line: 5, status: 'added' },
  ]);
  const from = await askService(['devices', 'import', file, '--from', '5'], { environment });
  expect([from.code, from.stderr]).toEqual([0, '0 added, 1 known before, 0 refused.\n']);
  const none = await askService(['devices', 'import', join(running.folder, 'none')], {
    environment,
  });
  expect([none.code, none.stderr]).toEqual([1, 'nds devices: the file cannot be read (ENOENT)\n']);
});

test('many devices are imported in several calls', async () => {
  const running = await setup();
  const { environment } = running;
  const lines = Array.from({ length: 1_100 }, (_, number) =>
    JSON.stringify({ platform: 'android', token: `token-${number}:APA91b`, user: `u${number}` }),
  );
  const input = `${lines.join('\n')}\n`;
  const end = await askService(['devices', 'import', '-'], { environment, input });
  expect([end.code, end.stderr]).toEqual([0, '1100 added, 0 known before, 0 refused.\n']);
  const numbers = end.stdout
    .trim()
    .split('\n')
    .map((line) => imported.parse(JSON.parse(line)).line);
  expect(numbers).toEqual(lines.map((_, index) => index + 1));
  const list = await askService(['devices', 'list', '--limit', '1000'], { environment });
  expect(list.stdout.trim().split('\n')).toHaveLength(1_000);
});

test('devices are listed and shown without their URLs, and revoked', async () => {
  const sources = resolve(import.meta.dirname, '../../docs/sources/examples.json');
  const { running, id, urls, nds } = await withDevice({ NDS_SOURCES_FILE: sources });
  const list = await nds('devices', 'list');
  expect([list.code, list.stderr]).toEqual([0, '']);
  expectReadable(list);
  expect(list.stdout).toMatch(
    new RegExp(`^${id}  default/android  \\d{4}-\\d\\d-\\d\\d  ${USER}\n$`),
  );
  expect((await nds('devices', 'list', '--user', USER)).stdout).toBe(list.stdout);
  expect((await nds('devices', 'list', '--user', 'nobody')).stdout).toBe('');
  const shown = await nds('devices', 'show', id);
  expectReadable(shown);
  const handle = (urls.notify ?? '').split('/').at(-1) ?? '';
  for (const end of [list, shown, await nds('devices', 'show', id, '--json')]) {
    expect(end.stdout).not.toContain(handle);
    expectNothingSecret(end.stdout, running);
  }
  expect(shown.stdout).toContain('doors         notify, lsps5');
  const withUrls = (await nds('devices', 'show', id, '--urls')).stdout.split('\n');
  for (const [door, url] of Object.entries(urls)) {
    expect(withUrls).toContain(`${door.padEnd(12)}  ${url}`);
  }

  expect((await nds('devices', 'revoke', id, '--door', 'notify')).code).toBe(0);
  expect((await running.post(new URL(urls.notify ?? '').pathname, '{}')).status).toBe(404);
  expect((await nds('devices', 'show', id)).stdout).not.toContain('notify');
  expect((await nds('devices', 'revoke', id)).stdout).toMatch(/^Deleted/);
  const gone = await nds('devices', 'show', id);
  expect([gone.code, gone.stderr.includes('404 unknown_device')]).toEqual([1, true]);
});

test('what an operator mistypes is no refused call', async () => {
  const { running, nds } = await withDevice();
  const end = await nds('devices', 'show', '01a219cd-970d-71cf-867d-9332ecd8c762');
  expect([end.code, end.stderr]).toEqual([1, expect.stringContaining('unknown_device')]);
  // Writes what was noted last.
  await running.service.stop();
  const { stdout } = await nds('stats', '--json');
  expect(stdout).toContain('why_not');
  expect(stdout).not.toContain('unknown_device');
});
