// The service's own log in a process of its own: every line comes out, in order, whatever ends the process.

import { execFile } from 'node:child_process';
import { expect, test } from 'vitest';
import { z } from 'zod';

const LOG = new URL('../../src/observe/log.ts', import.meta.url).href;
const SYSTEM = new URL('../../src/system.ts', import.meta.url).href;
const line = z.object({ level: z.string(), msg: z.string(), number: z.number() });

/** What a process says that makes a log and does this with it. */
function linesOf(script: string): Promise<readonly z.output<typeof line>[]> {
  const program = `import { createLog } from '${LOG}';
    import { createSystemClock } from '${SYSTEM}';
    const log = createLog('info', createSystemClock());
    const say = (number) => log.say('info', 'line', { number });
    ${script}`;
  return new Promise((resolve) => {
    const args = ['--input-type=module', '--eval', program];
    execFile(process.execPath, args, { maxBuffer: 16_000_000 }, (_error, stdout) => {
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
