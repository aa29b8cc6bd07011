// `npm run bench:wake -- --phones 10000`: what the service concludes about phones with known faults. It gets only
// webhooks and receipts over HTTP; the phones get what the stand-ins of APNs and FCM took.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { formatHead, formatRow, isRight, judge, type Row } from './judge.ts';
import { runPhones } from './run.ts';

const HELP = `Pushes to phones that each have one fault, and compares what the service concludes with the truth.

  --phones <number>  how many (default 10000)
  --rate <number>    pushes a second (default 150)
  --help`;

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      phones: { type: 'string', default: '10000' },
      rate: { type: 'string', default: '150' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    console.log(HELP);
    return 0;
  }
  const folder = mkdtempSync(join(tmpdir(), 'nds-wake-'));
  try {
    const options = { phones: Number(values.phones), perSecond: Number(values.rate), folder };
    const rows: readonly Row[] = judge(await runPhones(options));
    console.log(formatHead());
    for (const row of rows) console.log(formatRow(row));
    return rows.every(isRight) ? 0 : 1;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

process.exitCode = await main();
