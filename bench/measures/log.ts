// The log: bytes on disk per delivery, an operator's usual questions when it is big, and what pruning does to those
// who write meanwhile.

import { z } from 'zod';
import type { BenchRun } from '../bench-run.ts';
import { startChild } from '../child.ts';
import { number } from '../format.ts';
import { distribution } from '../statistics.ts';
import type { Measured } from './measure.ts';

const ROWS = { quick: 20_000, usual: 1_000_000, full: 1_000_000 } as const;
const SECONDS = { quick: 3, usual: 6, full: 20 } as const;
const RATE_PER_SECOND = 200;

const filled = z.object({
  rows: z.number(),
  seconds: z.number(),
  fileBytes: z.number(),
  walBytes: z.number(),
});
const queried = z.record(z.string(), z.array(z.number()));
const inserted = z.object({ times: z.array(z.number()), pruned: z.number() });

export async function measureLog(run: BenchRun): Promise<Measured> {
  const { size } = run.options;
  await using store = startChild(new URL('../log-store.ts', import.meta.url));
  const fill = await store.call({ kind: 'fill', rows: ROWS[size] }, filled);
  const times = await store.call({ kind: 'query' }, queried);
  const load = { kind: 'insert', seconds: SECONDS[size], ratePerSecond: RATE_PER_SECOND };
  const calm = await store.call({ ...load, prune: false }, inserted);
  const pruning = await store.call({ ...load, prune: true }, inserted);
  const queries = Object.entries(times).map(([name, ms]) => ({ name, ...distribution(ms) }));
  const writes = [
    { name: 'alone', pruned: 0, ...distribution(calm.times) },
    { name: 'while pruning', pruned: pruning.pruned, ...distribution(pruning.times) },
  ];
  const timesOf = ({ p50, p99, max }: (typeof queries)[number]) => [p50, p99, max].map(number);
  return {
    tables: [
      {
        title: `The log at ${fill.rows.toLocaleString('en')} settled deliveries`,
        columns: ['', ''],
        rows: [
          ['bytes on disk per delivery', number(fill.fileBytes / fill.rows)],
          ['write-ahead log, MB', number(fill.walBytes / 1e6)],
          ['deliveries written per second', number(fill.rows / fill.seconds)],
        ],
      },
      {
        title: 'An operator’s questions, ms',
        columns: ['question', 'p50', 'p99', 'max'],
        rows: queries.map((query) => [query.name, ...timesOf(query)]),
      },
      {
        title: `Writing ${RATE_PER_SECOND} deliveries per second, accepted → settled on disk, ms`,
        columns: ['', 'p50', 'p99', 'max', 'rows pruned'],
        rows: writes.map((write) => [write.name, ...timesOf(write), String(write.pruned)]),
      },
    ],
    data: { fill, queries, writes },
  };
}
