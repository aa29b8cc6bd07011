// Standard input, for what must not be an argument: arguments stand in the shell's history and in the list of processes.

import { createInterface } from 'node:readline';

/** More than any token, URL or secret. */
const MAX_CHARACTERS = 16_384;

/** The first line, without blanks around it; empty if there is none. */
export async function readStandardInput(): Promise<string> {
  for await (const line of createInterface({ input: process.stdin })) {
    process.stdin.destroy();
    return line.trim().slice(0, MAX_CHARACTERS);
  }
  return '';
}

/** `-` stands for standard input. */
export async function argumentOrInput(argument: string): Promise<string> {
  return argument === '-' ? await readStandardInput() : argument.trim();
}
