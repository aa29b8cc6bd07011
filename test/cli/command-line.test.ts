// Arguments as they are typed or pasted: a handle that begins with a dash, an option that does not exist, a secret in
// the wrong place.

import { expect, test } from 'vitest';
import { askService, expectReadable } from '../support/command.ts';
import { androidToken } from '../support/driven-service.ts';
import { imported, PAYMENT_HASH, withDevice } from '../support/operated.ts';
import { ANDROID_TOKEN } from '../support/service.ts';

/** One handle in 64 begins with a dash. That none of this many does happens once in seven million times. */
const DEVICES = 1_000;
const HANDLE = '-R6HGpFur-hJuA4vRK_4xA';
const TOKEN = '<740f4707 bebcf74f 9b7c25d4 8e335894 5f6aa01d a5ddb387 462c7eaf 61bb78ad>';

type Nds = Awaited<ReturnType<typeof withDevice>>;

async function findHandleWithDash({ given }: Nds): Promise<string> {
  const lines = Array.from({ length: DEVICES }, (_, index) =>
    JSON.stringify({ platform: 'android', token: androidToken(index) }),
  );
  const { stdout } = await given(lines.join('\n'), 'devices', 'import', '-');
  const handles = stdout
    .trim()
    .split('\n')
    .flatMap((line) => Object.values(imported.parse(JSON.parse(line)).urls ?? {}))
    .map((url) => new URL(url).pathname.split('/').at(-1) ?? '');
  const found = handles.find((handle) => handle.startsWith('-'));
  if (found === undefined) throw new Error('no handle begins with a dash');
  return found;
}

test('a handle that begins with a dash is an ordinary argument', async () => {
  const started = await withDevice();
  const { nds } = started;
  const handle = await findHandleWithDash(started);
  const sent = await nds('send', handle, '--json');
  const { id }: { id: string } = JSON.parse(sent.stdout);
  for (const args of [
    [handle, '--json', '--limit', '1'],
    ['--json', handle],
    ['--json', '--', handle],
  ]) {
    const found = await nds('find', ...args);
    expect([found.code, found.stderr]).toEqual([0, '']);
    expect(JSON.parse(found.stdout)).toMatchObject({ deliveries: [{ id }] });
    expect(found.stdout).not.toContain(handle);
  }
});

test('two dashes begin an argument, too, if it is longer than any option', async () => {
  const { nds } = await withDevice();
  for (const known of ['--6HGpFur-hJuA4vRK_4xA', '-h6HGpFur-hJuA4vRK_4xA']) {
    for (const command of ['find', 'forget', 'token show']) {
      const { stdout, stderr } = await nds(...command.split(' '), known);
      expect([command, stderr]).toEqual([command, '']);
      expect(stdout).not.toBe('');
      expect(stdout).not.toContain(known);
    }
    const { code, stderr } = await nds('send', known);
    expect([code, stderr]).toEqual([1, expect.stringContaining('unknown_handle')]);
  }
  const listed = await nds('devices', 'list', '--user', HANDLE);
  expect(listed).toEqual({ code: 0, stdout: '', stderr: '' });
});

test('an error of the arguments repeats nothing that may be a secret', async () => {
  for (const [words, args] of [
    ["unknown option '…'", [HANDLE]],
    ["unknown option '…'", ['devices', HANDLE]],
    ['but got 1: ….', ['serve', HANDLE]],
    ["unknown option '--handle=…'", ['find', `--handle=${HANDLE}`]],
    ["unknown command '…'", [TOKEN]],
    ["unknown command '…'", ['token', TOKEN]],
    ['but got 2: aa, ….', ['find', 'aa', HANDLE]],
    ['but got 2: …, ….', ['find', '--', HANDLE, `${HANDLE}A`]],
    ["argument '…' is invalid", ['devices', 'list', '--limit', HANDLE]],
    ["argument '…' is invalid", ['send', '-', '--platform', TOKEN]],
    ["argument '…' is invalid", ['stats', `--since=${TOKEN}`]],
  ] as const) {
    const { code, stdout, stderr } = await askService(args, {});
    expect([code, stdout], args.join(' ')).toEqual([2, '']);
    expect(stderr).toContain(words);
    expect(stderr).not.toMatch(/R6HGpFur|740f4707/);
  }
});

test('a test push to an impossible recipient is a wrong argument', async () => {
  for (const to of [TOKEN, 'https://nds.example.com/api/v1/notify']) {
    const { code, stdout, stderr } = await askService(['send', to], {});
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).toMatch(/^nds send: [^\n]+\n$/);
    expect(stderr).not.toContain(to);
  }
});

test('a period that is too long is refused, and the message names the longest', async () => {
  const { code, stderr } = await askService(['stats', '--since', '9999d'], {});
  expect(code).toBe(2);
  expect(stderr).toContain('It must be a time such as 30m, 24h or 7d, 3650d at most.');
});

test('a log without deliveries is reported as such', async () => {
  const { nds } = await withDevice();
  expect(await nds('find')).toEqual({
    code: 1,
    stdout: 'No delivery is in the log.\n',
    stderr: '',
  });
  expect(await nds('find', '--json')).toEqual({ code: 1, stdout: '[]\n', stderr: '' });
});

test('the newest deliveries are those of the app and time that are asked for', async () => {
  const { running, nds } = await withDevice();
  await running.notify(ANDROID_TOKEN, PAYMENT_HASH);
  await running.service.settled();
  const of = async (...args: readonly string[]) => (await nds('find', ...args)).stdout;
  expect(await of('--app', 'default', '--since', '1h')).toContain('payment_received');
  expect(await of('--app', 'other')).toBe('No such delivery is in the log.\n');
});

test('an error of the arguments says what to do', async () => {
  for (const [args, lines] of [
    [
      ['forget', '-bob'],
      [
        "error: unknown option '-bob'",
        'If it is no option but an argument: nds forget -- ARGUMENT',
        '(nds forget --help lists what it takes)',
      ],
    ],
    [
      ['devices', 'list', '--jsn'],
      [
        "error: unknown option '--jsn'",
        '(Did you mean --json?)',
        '(nds devices list --help lists what it takes)',
      ],
    ],
    [
      ['devices', 'show'],
      ["error: missing required argument 'id'", '(nds devices show --help lists what it takes)'],
    ],
    [
      ['frind'],
      ["error: unknown command 'frind'", '(Did you mean find?)', '(nds --help lists the commands)'],
    ],
  ] as const) {
    const end = await askService(args, {});
    expect(end).toEqual({ code: 2, stdout: '', stderr: `${lines.join('\n')}\n` });
    expectReadable(end);
  }
});
