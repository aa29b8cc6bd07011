// `nds devices import FILE`: registers a device for each line of JSON, and prints a line of JSON for each, with its
// handles. A known device keeps its handles, so an import may be run again.

import { open } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { z } from 'zod';
import type { Context } from '../context.ts';
import { print } from '../print.ts';
import type { Api } from './api.ts';
import { withService } from './reach.ts';

/** Less than the service takes in one call. */
const BATCH_LINES = 500;
const BATCH_BYTES = 900_000;
/**
 * The service's own limit for a line is lower. It refuses a whole call if the body is too large, so longer lines are
 * refused here.
 */
const MAX_LINE_BYTES = BATCH_BYTES / 2;

const answer = z.looseObject({
  line: z.number(),
  status: z.enum(['added', 'known', 'refused']),
});

type Counts = Record<z.output<typeof answer>['status'], number>;

/** The message says from which line the import has to continue. */
export class ImportError extends Error {
  override readonly name = 'ImportError';
}

/** Returns 0 if every line was registered, else 1. */
export async function importDevices(
  file: string,
  { from }: { readonly from: number },
  context: Context,
): Promise<number> {
  const counts: Counts = { added: 0, known: 0, refused: 0 };
  await withService(context, async (api) => {
    const input = file === '-' ? process.stdin : await openFile(file);
    try {
      await importLines(api, { input, from }, counts);
    } finally {
      input.destroy();
    }
  });
  const { added, known, refused } = counts;
  process.stderr.write(`${added} added, ${known} known before, ${refused} refused.\n`);
  return refused === 0 ? 0 : 1;
}

async function importLines(
  api: Api,
  { input, from }: { readonly input: Readable; readonly from: number },
  counts: Counts,
): Promise<void> {
  let batch: NumberedLine[] = [];
  const sendBatch = async () => {
    if (batch.length > 0) await register(api, batch, counts);
    batch = [];
  };
  let number = 0;
  for await (const text of createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY })) {
    number += 1;
    if (number < from || text.trim() === '') continue;
    if (Buffer.byteLength(text) > MAX_LINE_BYTES) {
      await sendBatch();
      refuseLong(number, counts);
      continue;
    }
    if (bytesOf(batch) + Buffer.byteLength(text) > BATCH_BYTES) await sendBatch();
    batch.push({ number, text });
    if (batch.length >= BATCH_LINES) await sendBatch();
  }
  await sendBatch();
}

function refuseLong(line: number, counts: Counts): void {
  counts.refused += 1;
  const errors = [{ field: 'body', message: 'is too long' }];
  print(`${JSON.stringify({ line, status: 'refused', code: 'bad_body', errors })}\n`);
}

/** If a stream fails, readline ends without an error, so likely faults are checked first. */
async function openFile(file: string): Promise<Readable> {
  try {
    const handle = await open(file);
    if (!(await handle.stat()).isDirectory()) return handle.createReadStream();
    await handle.close();
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : String(error);
    throw new ImportError(`the file cannot be read (${code})`);
  }
  throw new ImportError('the file is a folder');
}

interface NumberedLine {
  readonly number: number;
  readonly text: string;
}

function bytesOf(batch: readonly NumberedLine[]): number {
  return batch.reduce((sum, { text }) => sum + Buffer.byteLength(text) + 1, 0);
}

async function register(api: Api, batch: readonly NumberedLine[], counts: Counts): Promise<void> {
  const body = `${batch.map(({ text }) => text).join('\n')}\n`;
  for (const text of (await sendOrStop(api, batch, body)).split('\n')) {
    if (text === '') continue;
    const parsed = answer.parse(JSON.parse(text));
    counts[parsed.status] += 1;
    // The service counts the lines within a batch.
    const line = batch[parsed.line - 1]?.number ?? parsed.line;
    print(`${JSON.stringify({ ...parsed, line })}\n`);
  }
}

async function sendOrStop(
  api: Api,
  [first]: readonly NumberedLine[],
  body: string,
): Promise<string> {
  try {
    return await api.text('POST', '/api/v1/devices/import', { body });
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    const words = message.endsWith('?') ? message : `${message}.`;
    throw new ImportError(`${words} Go on by --from ${first?.number ?? 1}`);
  }
}
