// `bin/nds.js` or another program as a process of its own, as an operator runs it: its output line by line, and its
// end.

import { spawn } from 'node:child_process';
import { createServer } from 'node:net';
import { resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { expect, onTestFinished } from 'vitest';
import { secretsOf } from './secret-watch.ts';

export const NDS = resolve(import.meta.dirname, '../../bin/nds.js');

export interface ProgramEnd {
  /** Absent if a signal ended it. */
  readonly code: number | undefined;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Program {
  /** Resolves with the first line of standard output that contains this text; rejects if the program ends before. */
  line(text: string): Promise<string>;
  signal(name: NodeJS.Signals): void;
  readonly ended: Promise<ProgramEnd>;
}

export interface ProgramOptions {
  readonly args: readonly string[];
  /** All its environment variables, besides the search path. */
  readonly environment?: Readonly<Record<string, string>>;
  readonly folder: string;
  /** A program other than `nds`. */
  readonly program?: string | undefined;
  /** Options of Node itself. */
  readonly nodeOptions?: readonly string[] | undefined;
}

/** Starts it; it is killed when the test is over. */
export function startProgram(options: ProgramOptions): Program {
  const { args, environment = {}, folder, program = NDS, nodeOptions = [] } = options;
  const child = spawn(process.execPath, [...nodeOptions, program, ...args], {
    cwd: folder,
    env: { PATH: process.env.PATH, ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const lines: string[] = [];
  onTestFinished(() => {
    child.kill('SIGKILL');
    if (program !== NDS) return;
    const said = `${lines.join('\n')}\n${stderr}`;
    const told = secretsOf(environment).filter(([, secret]) => said.includes(secret));
    expect(told.map(([name]) => name)).toEqual([]);
  });
  const listeners = new Set<() => void>();
  const wake = () => {
    for (const listener of listeners) listener();
  };
  createInterface({ input: child.stdout }).on('line', (line) => {
    lines.push(line);
    wake();
  });
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  const { promise: ended, resolve: onEnd } = Promise.withResolvers<ProgramEnd>();
  let hasEnded = false;
  child.on('close', (code) => {
    hasEnded = true;
    onEnd({ code: code ?? undefined, stdout: lines.join('\n'), stderr });
    wake();
  });
  const line = async (text: string): Promise<string> => {
    for (;;) {
      const found = lines.find((candidate) => candidate.includes(text));
      if (found !== undefined) return found;
      if (hasEnded) throw new Error(`it ended without saying "${text}": ${stderr}`);
      const { promise, resolve: onNews } = Promise.withResolvers<void>();
      listeners.add(onNews);
      await promise;
      listeners.delete(onNews);
    }
  };
  return { line, signal: (name) => child.kill(name), ended };
}

/** A port that was free a moment ago. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((onListening) => server.listen(0, onListening));
  const address = server.address();
  await new Promise((onClosed) => server.close(onClosed));
  if (address === null || typeof address === 'string') throw new Error('no TCP address');
  return address.port;
}
