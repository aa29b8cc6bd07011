// The log: bytes on disk per delivery, and an operator's usual questions when it is big.

import { z } from 'zod';
import { startChild } from '../child.ts';
import { number } from '../format.ts';
import type { BenchRun } from '../run.ts';
import { distribution } from '../statistics.ts';
import type { Measured } from './measure.ts';

const ROWS = { quick: 20_000, usual: 1_000_000, full: 1_000_000 } as const;

const filled = z.object({ seconds: z.number(), fileBytes: z.number(), walBytes: z.number() });
const queried = z.record(z.string(), z.array(z.number()));

export async function measureLog(run: BenchRun): Promise<Measured> {
  const rows = ROWS[run.options.size];
  await using store = startChild(new URL('../log-store.ts', import.meta.url));
  const fill = await store.call({ kind: 'fill', rows }, filled);
  const times = await store.call({ kind: 'query' }, queried);
  const queries = Object.entries(times).map(([name, ms]) => ({ name, ...distribution(ms) }));
  return {
    tables: [
      {
        title: `The log at ${rows.toLocaleString('en')} settled deliveries`,
        columns: ['', ''],
        rows: [
          ['bytes on disk per delivery', number(fill.fileBytes / rows)],
          ['write-ahead log, MB', number(fill.walBytes / 1e6)],
          ['deliveries written per second', number(rows / fill.seconds)],
        ],
      },
      {
        title: 'An operator’s questions, ms',
        columns: ['question', 'p50', 'p99', 'max'],
        rows: queries.map(({ name, p50, p99, max }) => [name, ...[p50, p99, max].map(number)]),
      },
    ],
    data: { rows, fill, queries },
  };
}
