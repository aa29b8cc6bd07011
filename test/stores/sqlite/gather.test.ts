// Searches in the log in SQLite against the contract of every adapter; the service's own reader and a command's reader
// find the same.

import { expect, test } from 'vitest';
import { openReadOnly } from '../../../src/stores/sqlite/read-only.ts';
import { LOG_CASES, logReaderContract, setupLog } from '../../contract/log-reader-contract.ts';
import { NOW } from '../../contract/store-samples.ts';
import { useFiles } from './files.ts';
import { KEYS } from './keys.ts';

const { newFile, open } = useFiles();

logReaderContract(() => open(newFile()));

test('a command reads what a thread of the service reads', async () => {
  const file = newFile();
  const opened = await open(file);
  await setupLog(opened);
  const reading = openReadOnly({ file, keys: KEYS });
  for (const { key } of LOG_CASES) {
    const question = { keys: [key], limit: 10 };
    // The sign of life beside the file is for readers that cannot ask the service.
    const { aliveUntilMs, ...found } = reading.gather(question);
    expect(aliveUntilMs).toBeGreaterThan(0);
    expect(found).toEqual(await opened.log.gather(question));
  }
  for (const spanMs of [undefined, 1_000]) {
    const options = { of: 'deliveries', sinceMs: NOW + 1_500, maxRows: 100, spanMs } as const;
    expect(reading.countPage(options)).toEqual(await opened.log.countPage(options));
  }
  reading.close();
});
