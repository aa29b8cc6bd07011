// Standard input, for values that must not be arguments: arguments are in the shell's history and in the list of
// processes.

import { createInterface } from 'node:readline';

/** More than any token, URL or secret. */
const MAX_CHARACTERS = 16_384;

/**
 * An argument cannot be used, such as one that is empty because of an unset variable. The message repeats nothing of
 * it.
 */
export class ArgumentError extends Error {
  override readonly name = 'ArgumentError';
}

/** The first line, without blanks around it; empty if there is none. */
export async function readStandardInput(): Promise<string> {
  for await (const line of createInterface({ input: process.stdin })) {
    process.stdin.destroy();
    return line.trim().slice(0, MAX_CHARACTERS);
  }
  return '';
}

/** `-` stands for standard input. Throws an `ArgumentError`. */
export async function argumentOrInput(argument: string): Promise<string> {
  if (argument !== '-') return requireArgument(argument);
  const line = await readStandardInput();
  if (line === '') throw new ArgumentError('there is nothing on standard input');
  return line;
}

/** Without blanks around it. Throws an `ArgumentError`. */
export function requireArgument(argument: string): string {
  const text = argument.trim();
  if (text === '') throw new ArgumentError('the argument is empty');
  return text;
}
