// `nds devices import FILE`: registers a device for each line of JSON, and prints a line of JSON for each, with its
// handles. A device that is known keeps its handles, so that an import may be run again.

import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { z } from 'zod';
import type { Context } from '../context.ts';
import { print } from '../print.ts';
import type { Api } from './api.ts';
import { withService } from './reach.ts';

/** Few enough for a body of the service's routes, many enough for one commit. */
const BATCH_LINES = 100;
const BATCH_BYTES = 48_000;

const answer = z.looseObject({ line: z.number(), code: z.string().optional() });

/** Says from which line on the import goes on. */
export class ImportError extends Error {
  override readonly name = 'ImportError';
}

/** Returns 0 if every line was registered, else 1. */
export async function importDevices(
  file: string,
  { from }: { readonly from: number },
  context: Context,
): Promise<number> {
  return await withService(context, async (api) => {
    const input = file === '-' ? process.stdin : createReadStream(file);
    const lines = createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY });
    let number = 0;
    let refused = 0;
    let done = 0;
    let batch: NumberedLine[] = [];
    const sendBatch = async () => {
      const [first] = batch;
      if (first === undefined) return;
      refused += await register(api, batch, first.number);
      done += batch.length;
      batch = [];
    };
    try {
      for await (const text of lines) {
        number += 1;
        if (number < from || text.trim() === '') continue;
        if (bytesOf(batch) + Buffer.byteLength(text) > BATCH_BYTES) await sendBatch();
        batch.push({ number, text });
        if (batch.length >= BATCH_LINES) await sendBatch();
      }
      await sendBatch();
    } catch (error) {
      throw error instanceof ImportError ? error : unreadable(error);
    } finally {
      lines.close();
    }
    process.stderr.write(`${done} lines: ${done - refused} registered, ${refused} refused.\n`);
    return refused === 0 ? 0 : 1;
  });
}

function unreadable(error: unknown): ImportError {
  const code = error instanceof Error && 'code' in error ? String(error.code) : String(error);
  return new ImportError(`the file cannot be read (${code})`);
}

interface NumberedLine {
  readonly number: number;
  readonly text: string;
}

function bytesOf(batch: readonly NumberedLine[]): number {
  return batch.reduce((sum, { text }) => sum + Buffer.byteLength(text) + 1, 0);
}

/** How many lines of the batch were refused. */
async function register(
  api: Api,
  batch: readonly NumberedLine[],
  firstLine: number,
): Promise<number> {
  const body = `${batch.map(({ text }) => text).join('\n')}\n`;
  let answered: string;
  try {
    answered = await api.text('POST', '/api/v1/devices/import', { body });
  } catch (error) {
    const words = error instanceof Error ? error.message : String(error);
    throw new ImportError(`${words}. Go on by --from ${firstLine}`);
  }
  let refused = 0;
  for (const text of answered.split('\n').filter((line) => line !== '')) {
    const parsed = answer.parse(JSON.parse(text));
    if (parsed.code !== undefined) refused += 1;
    // The service counts the lines of a batch.
    const line = batch[parsed.line - 1]?.number ?? parsed.line;
    print(`${JSON.stringify({ ...parsed, line })}\n`);
  }
  return refused;
}
