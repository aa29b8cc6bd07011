// A command of `nds` as an operator runs it: with an environment and perhaps standard input; returns its output and
// exit code.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { resolve } from 'node:path';
import { Readable, Writable } from 'node:stream';
import { expect } from 'vitest';
import { runCommand as runEntry } from '../../src/cli/commands.ts';

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
  // A command that does not read its input may end before this is written.
  child.stdin.on('error', () => {});
  child.stdin.end(input);
  const [code]: unknown[] = await once(child, 'close');
  return { code: typeof code === 'number' ? code : null, stdout, stderr };
}

/** Commands whose first argument names the one to run. */
const GROUPS = new Set(['apps', 'devices', 'endpoints', 'token']);
/** Commands that this file has already run as a program. */
const provenCommands = new Set<string>();
let isRunningHere = false;

/**
 * For commands that ask a service. The first run of each command in a file starts the program; later runs call its
 * entry point in this process, which saves the start of Node. A run that overlaps with another one also starts the
 * program.
 */
export async function askService(
  args: readonly string[],
  options: Omit<CommandOptions, 'folder'>,
): Promise<CommandEnd> {
  const [first = '', second] = args;
  const command = GROUPS.has(first) ? `${first} ${second}` : first;
  if (isRunningHere || !provenCommands.has(command)) {
    provenCommands.add(command);
    return await runCommand(args, options);
  }
  isRunningHere = true;
  try {
    return await runHere(args, options);
  } finally {
    isRunningHere = false;
  }
}

async function runHere(
  args: readonly string[],
  { environment = {}, input = '' }: CommandOptions,
): Promise<CommandEnd> {
  const stdout: string[] = [];
  const stderr: string[] = [];
  const { PATH, NODE_COMPILE_CACHE } = process.env;
  const given = {
    env: { PATH, NODE_COMPILE_CACHE, ...environment },
    stdin: Readable.from(input === '' ? [] : [Buffer.from(input)]),
    stdout: collectInto(stdout),
    stderr: collectInto(stderr),
  };
  const own = Object.keys(given).map(
    (name) => [name, Object.getOwnPropertyDescriptor(process, name) ?? {}] as const,
  );
  for (const [name, value] of Object.entries(given)) {
    Object.defineProperty(process, name, { value, configurable: true, writable: true });
  }
  try {
    const code = await runEntry(args);
    return { code, stdout: stdout.join(''), stderr: stderr.join('') };
  } finally {
    for (const [name, descriptor] of own) Object.defineProperty(process, name, descriptor);
  }
}

function collectInto(texts: string[]): Writable {
  return new Writable({
    decodeStrings: false,
    write: (text: string, _encoding, onWritten) => {
      texts.push(text);
      onWritten();
    },
  });
}

/** Checks that the output has nothing that a terminal would break, and no stack where a sentence should be. */
export function expectReadable({ stdout, stderr }: CommandEnd): void {
  const lines = `${stdout}${stderr}`.split('\n');
  expect(lines.filter((line) => line.length > COLUMNS)).toEqual([]);
  expect(lines.filter((line) => /^ {4}at /.test(line))).toEqual([]);
}
