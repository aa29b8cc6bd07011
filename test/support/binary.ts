// The real program as a process of its own, with real variables, signals and files.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { onTestFinished } from 'vitest';
import { z } from 'zod';

const ROOT = join(import.meta.dirname, '../..');
const lineSchema = z.looseObject({ event: z.string().optional(), url: z.string().optional() });

export type LogLine = z.output<typeof lineSchema>;

export interface Binary {
  readonly url: string;
  /** Everything it wrote so far, its log and standard error. */
  readonly output: string;
  kill(signal: NodeJS.Signals): void;
  /** Resolves with the first line that has this message, or with the `times`-th one; earlier lines count, too. */
  said(message: string, times?: number): Promise<LogLine>;
  /** Exit code, or the signal that ended it. */
  readonly ended: Promise<number | NodeJS.Signals>;
}

/** Resolves when it listens. Rejects with its output if it ends before. Killed when the test is over. */
export async function startBinary(environment: Record<string, string>): Promise<Binary> {
  const child = spawn(process.execPath, [join(ROOT, 'bin/nds.js'), 'serve'], {
    env: { PATH: process.env.PATH ?? '', ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const ended = endOf(child);
  onTestFinished(async () => {
    child.kill('SIGKILL');
    await ended;
  });
  let output = '';
  const lines: LogLine[] = [];
  const listeners = new Set<() => void>();
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    output += text;
  });
  createInterface({ input: child.stdout }).on('line', (line) => {
    output += `${line}\n`;
    if (line.startsWith('{')) lines.push(lineSchema.parse(JSON.parse(line)));
    for (const listener of listeners) listener();
  });
  const said = (message: string, times = 1): Promise<LogLine> => {
    const { promise, resolve } = Promise.withResolvers<LogLine>();
    const look = () => {
      const line = lines.filter(({ event }) => event === message)[times - 1];
      if (line === undefined) return;
      listeners.delete(look);
      resolve(line);
    };
    listeners.add(look);
    look();
    return promise;
  };
  const failed = ended.then((end) => {
    throw new Error(`it ended with ${end}:\n${output}`);
  });
  failed.catch(() => {});
  const { url } = await Promise.race([said('listening'), failed]);
  if (url === undefined) throw new Error('it did not say where it listens');
  return {
    url,
    get output() {
      return output;
    },
    kill: (signal) => child.kill(signal),
    said,
    ended,
  };
}

async function endOf(child: ChildProcess): Promise<number | NodeJS.Signals> {
  const [code, signal]: unknown[] = await once(child, 'close');
  if (typeof code === 'number') return code;
  return signal === 'SIGKILL' ? 'SIGKILL' : 'SIGTERM';
}
