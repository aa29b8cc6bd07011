// Standard input, for what must not be an argument: arguments stand in the shell's history and in the list of processes.

import { createInterface } from 'node:readline';

/** More than any token, URL or secret. */
const MAX_CHARACTERS = 16_384;

/** An argument that an unset variable of a shell left empty, or nothing on standard input. */
export class NothingGivenError extends Error {
  override readonly name = 'NothingGivenError';
}

/** The first line, without blanks around it; empty if there is none. */
export async function readStandardInput(): Promise<string> {
  for await (const line of createInterface({ input: process.stdin })) {
    process.stdin.destroy();
    return line.trim().slice(0, MAX_CHARACTERS);
  }
  return '';
}

/** `-` stands for standard input. Throws a `NothingGivenError`. */
export async function argumentOrInput(argument: string): Promise<string> {
  if (argument !== '-') return requireArgument(argument);
  const line = await readStandardInput();
  if (line === '') throw new NothingGivenError('there is nothing on standard input');
  return line;
}

/** Without blanks around it. Throws a `NothingGivenError`. */
export function requireArgument(argument: string): string {
  const text = argument.trim();
  if (text === '') throw new NothingGivenError('the argument is empty');
  return text;
}
