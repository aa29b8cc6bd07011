// The service's own log in a separate process: every line is written, in order, and a failing output ends nothing.

import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { openSync } from 'node:fs';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { terminalLine } from '../../src/observe/terminal-line.ts';

const LOG = new URL('../../src/observe/log.ts', import.meta.url).href;
const SYSTEM = new URL('../../src/service/system.ts', import.meta.url).href;
const line = z.object({ level: z.string(), event: z.string(), number: z.number() });

/** A program that makes a log and runs this script with it. */
function programOf(script: string): readonly string[] {
  const program = `import { createLog } from '${LOG}';
    import { createSystemClock } from '${SYSTEM}';
    const log = createLog('info', createSystemClock());
    const say = (number) => log.say('info', 'line', { number });
    ${script}`;
  return ['--input-type=module', '--eval', program];
}

/** The lines that such a process writes. */
function linesOf(script: string): Promise<readonly z.output<typeof line>[]> {
  return new Promise((resolve) => {
    execFile(process.execPath, programOf(script), { maxBuffer: 16_000_000 }, (_error, stdout) => {
      const lines = stdout.split('\n').filter((text) => text !== '');
      resolve(lines.map((text) => line.parse(JSON.parse(text))));
    });
  });
}

for (const [end, script] of [
  ['when nothing is left to do', ''],
  ['when it was closed', 'await log.close(); process.exit(0);'],
] as const) {
  test(`every line is written in order ${end}`, async () => {
    for (const count of [1, 1_000, 20_000]) {
      const lines = await linesOf(`for (let n = 0; n < ${count}; n += 1) say(n); ${script}`);
      expect(lines.map(({ number }) => number)).toEqual(Array.from({ length: count }, (_, n) => n));
    }
  });
}

for (const [end, script] of [
  ['it exits', 'process.exit(0);'],
  ['an error escapes', "setImmediate(() => { throw new Error('escaped'); });"],
] as const) {
  test(`the last lines are written when ${end} without notice`, async () => {
    const lines = await linesOf(`for (let n = 0; n < 20; n += 1) say(n); ${script}`);
    expect(lines.map(({ number }) => number)).toEqual(Array.from({ length: 20 }, (_, n) => n));
  });
}

test('a full pipe that does not block gets every line', async () => {
  // Using process.stdout makes a pipe one that does not block.
  const fill = 'void process.stdout; for (let n = 0; n < 20_000; n += 1) say(n);';
  const lines = await linesOf(`${fill} await log.close(); process.exit(0);`);
  expect(lines.map(({ number }) => number)).toEqual(Array.from({ length: 20_000 }, (_, n) => n));
});

/** Logs for a while, more than would fill any pipe, and ends with 0. */
const CHATTER = `for (let round = 0; round < 50; round += 1) {
  for (let n = 0; n < 200; n += 1) say(n);
  await new Promise((resolve) => setTimeout(resolve, 2));
}
process.exitCode = 7;`;

test('a full disk does not end the process', async () => {
  const full = openSync('/dev/full', 'w');
  const child = spawn(process.execPath, programOf(CHATTER), { stdio: ['ignore', full, 'inherit'] });
  expect(await once(child, 'exit')).toEqual([7, null]);
});

test('nor does a pipe that is not read any more', async () => {
  const child = spawn(process.execPath, programOf(CHATTER), {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(child.stdout, 'data');
  child.stdout.destroy();
  expect(await once(child, 'exit')).toEqual([7, null]);
});

test('a bug is logged with its stack, and those of its causes', async () => {
  const run = promisify(execFile);
  const fault =
    "{ name: 'internal_fault', where: 'retrier', cause: new Error('ours', { cause: new TypeError('the reason') }) }";
  const { stdout } = await run(process.execPath, programOf(`log.observer.observe(${fault});`));
  expect(JSON.parse(stdout)).toMatchObject({
    level: 'error',
    event: 'internal_fault',
    where: 'retrier',
    cause: expect.stringMatching(
      /^Error: ours\n {4}at [\s\S]*\ncaused by TypeError: the reason\n {4}at /,
    ),
  });
});

test('closing waits neither for a full disk nor for a pipe that is not read', async () => {
  const full = openSync('/dev/full', 'w');
  for (const stdout of [full, 'pipe'] as const) {
    const fill = 'void process.stdout; for (let n = 0; n < 20_000; n += 1) say(n);';
    const child = spawn(
      process.execPath,
      programOf(`${fill} await log.close(); process.exitCode = 7;`),
      { stdio: ['ignore', stdout, 'inherit'] },
    );
    expect(await once(child, 'exit')).toEqual([7, null]);
  }
});

test('a terminal gets lines that a person can read', () => {
  const json = JSON.stringify({
    level: 'info',
    time: '2026-01-02T03:04:05.678Z',
    provider: 'apns',
    attempts: 1,
    detail: 'a "quoted" text',
    event: 'delivery_settled',
  });
  expect(terminalLine(json)).toBe(
    '03:04:05.678 info delivery_settled provider=apns attempts=1 detail="a \\"quoted\\" text"\n',
  );
});

test('only a terminal gets such lines', async () => {
  const run = promisify(execFile);
  const command = [process.execPath, ...programOf('say(1);')].map(quoted).join(' ');
  // util-linux: runs a command in a terminal of its own.
  const { stdout } = await run('script', ['-qec', command, '/dev/null']);
  expect(stdout).toMatch(/^\d\d:\d\d:\d\d\.\d{3} info line number=1\r\n$/);
});

function quoted(word: string): string {
  return `'${word.replaceAll("'", "'\\''")}'`;
}
