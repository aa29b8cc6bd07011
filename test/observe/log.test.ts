// The service's own log in a process of its own: every line comes out, in order, whatever ends the process.

import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { openSync } from 'node:fs';
import { expect, test } from 'vitest';
import { z } from 'zod';

const LOG = new URL('../../src/observe/log.ts', import.meta.url).href;
const SYSTEM = new URL('../../src/service/system.ts', import.meta.url).href;
const line = z.object({ level: z.string(), msg: z.string(), number: z.number() });

/** Makes a log and does this with it. */
function programOf(script: string): readonly string[] {
  const program = `import { createLog } from '${LOG}';
    import { createSystemClock } from '${SYSTEM}';
    const log = createLog('info', createSystemClock());
    const say = (number) => log.say('info', 'line', { number });
    ${script}`;
  return ['--input-type=module', '--eval', program];
}

/** What such a process says. */
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
  ['when it exits', 'process.exit(0);'],
  ['when an error escapes', "setImmediate(() => { throw new Error('escaped'); });"],
  ['when a promise is rejected', "void Promise.reject(new Error('rejected'));"],
] as const) {
  test(`every line comes out in order ${end}`, async () => {
    for (const count of [1, 1_000]) {
      const lines = await linesOf(`for (let n = 0; n < ${count}; n += 1) say(n); ${script}`);
      expect(lines.map(({ number }) => number)).toEqual(Array.from({ length: count }, (_, n) => n));
    }
  });
}

// Whoever touches it makes a pipe one that does not block.
const FULL_PIPE = 'void process.stdout; for (let n = 0; n < 20_000; n += 1) say(n);';

for (const [end, script] of [
  ['while it runs on', ''],
  ['when it exits', 'process.exit(0);'],
] as const) {
  test(`a full pipe that does not block gets every line ${end}`, async () => {
    const lines = await linesOf(`${FULL_PIPE} ${script}`);
    expect(lines.map(({ number }) => number)).toEqual(Array.from({ length: 20_000 }, (_, n) => n));
  });
}

/** Says lines for a while, as many in all as would fill any pipe, and ends well. */
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

test('nor does a pipe that nobody reads any more', async () => {
  const child = spawn(process.execPath, programOf(CHATTER), {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(child.stdout, 'data');
  child.stdout.destroy();
  expect(await once(child, 'exit')).toEqual([7, null]);
});
