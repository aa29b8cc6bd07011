// A command of `nds` as an operator runs it: with an environment, perhaps something on standard input, and what it printed
// and returned in the end.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { resolve } from 'node:path';
import { expect } from 'vitest';

const BINARY = resolve(import.meta.dirname, '../../bin/nds.js');
const COLUMNS = 80;

export interface CommandEnd {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CommandOptions {
  readonly environment?: Readonly<Record<string, string>> | undefined;
  readonly folder?: string | undefined;
  readonly input?: string | undefined;
}

export async function runCommand(
  args: readonly string[],
  { environment = {}, folder, input = '' }: CommandOptions = {},
): Promise<CommandEnd> {
  const child = spawn(process.execPath, [BINARY, ...args], {
    cwd: folder,
    env: { PATH: process.env.PATH, ...environment },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  // A command that reads nothing may have ended before this is written.
  child.stdin.on('error', () => {});
  child.stdin.end(input);
  const [code]: unknown[] = await once(child, 'close');
  return { code: typeof code === 'number' ? code : null, stdout, stderr };
}

/** What a terminal would break, and a stack where a sentence belongs. */
export function expectReadable({ stdout, stderr }: CommandEnd): void {
  const lines = `${stdout}${stderr}`.split('\n');
  expect(lines.filter((line) => line.length > COLUMNS)).toEqual([]);
  expect(lines.filter((line) => /^ {4}at /.test(line))).toEqual([]);
}
