// The commands that read the log: find, tail and stats.

import { type Command, InvalidArgumentError, Option } from 'commander';
import { duration } from '../config/values.ts';
import { readEnvironment } from './environment.ts';
import type { FindOptions } from './find.ts';
import type { StatsOptions } from './stats.ts';
import type { TailOptions } from './tail.ts';

const MAX_ROWS = 1_000;
const MAX_PERIOD = '3650d';
const HOUR_MS = 3_600_000;

export function addLogCommands(program: Command, end: (exitCode: number) => void): void {
  program
    .command('find')
    .description(
      'was it sent? what happened, and what to do; the newest pushes without an argument',
    )
    .argument(
      '[known]',
      'payment hash, swap id, delivery or request id, push token, webhook URL, handle, device id, user, or the first 8 characters of an id; - reads it from standard input',
    )
    .option('--app <name>', 'only this app, also one that is not configured any more')
    .option('--since <time>', 'only what happened in this time, such as 30m, 24h or 7d', period)
    .option('--limit <rows>', `how many deliveries at most, up to ${MAX_ROWS}`, rowCount, 20)
    .option('--json', 'the answer as JSON')
    .action(
      async (known: string | undefined, { since, ...options }: Since<Omit<FindOptions, 'known'>>) =>
        end(
          await (await import('./find.ts')).find(
            { known, sinceMs: since, ...options },
            readEnvironment(),
          ),
        ),
    );
  program
    .command('stats')
    .description(
      'how many pushes arrived and how fast, by app and provider, and why others did not',
    )
    .addOption(
      new Option('--since <time>', 'the period, such as 30m, 24h or 7d')
        .argParser(period)
        .default(HOUR_MS, '1h'),
    )
    .option('--json', 'the figures as JSON')
    .action(async ({ since, ...options }: Required<Since<StatsOptions>>) =>
      end(
        await (await import('./stats.ts')).stats({ ...options, sinceMs: since }, readEnvironment()),
      ),
    );
  program
    .command('tail')
    .description('what happens now: a line for each delivery and refused call, until interrupted')
    .option('--failed', 'only what was not delivered')
    .option('--app <name>', 'only this app')
    .option('--json', 'a line of JSON each')
    .action(async (options: TailOptions) =>
      end(await (await import('./tail.ts')).tail(options, readEnvironment())),
    );
}

/** The options as commander passes them, with the period already parsed. */
type Since<Options> = Omit<Options, 'sinceMs'> & { readonly since?: number | undefined };

function rowCount(text: string): number {
  const rows = Number(text);
  if (/^\d+$/.test(text) && rows >= 1 && rows <= MAX_ROWS) return rows;
  throw new InvalidArgumentError(`It must be a whole number from 1 to ${MAX_ROWS}.`);
}

function period(text: string): number {
  const parsed = duration('1s', MAX_PERIOD).safeParse(text);
  if (parsed.success) return parsed.data;
  throw new InvalidArgumentError(
    `It must be a time such as 30m, 24h or 7d, ${MAX_PERIOD} at most.`,
  );
}
