// The wall clock is set back while quarantines last: each still ends after its own length at the latest.

import { tmpdir } from 'node:os';
import { expect, test } from 'vitest';
import { NOW, quarantineEntry } from '../../contract/store-samples.ts';
import { useFiles } from './files.ts';

const { newFile, open } = useFiles(tmpdir());
const HOUR_MS = 3_600_000;
const HOLD_MS = 30_000;

test('a quarantine from before the clock was set back ends after its length, and its row is deleted', async () => {
  const file = newFile();
  const { store } = await open(file);
  await store.quarantine(quarantineEntry('a', { sinceMs: NOW, untilMs: NOW + HOLD_MS }));
  const wallMs = NOW - HOUR_MS;
  const prune = (passedMs: number) => {
    const times = { nowMs: NOW + passedMs, wallMs: wallMs + passedMs };
    return store.prune({ beforeMs: 0, limit: 10, ...times });
  };
  expect(await prune(0)).toBe(0);
  const listed = await store.listQuarantine({ wallMs, limit: 9 });
  expect(listed).toMatchObject([{ sinceMs: wallMs, untilMs: wallMs + HOLD_MS }]);
  expect(await prune(HOLD_MS - 1)).toBe(0);
  expect(await prune(HOLD_MS)).toBe(1);
  expect(await store.listQuarantine({ wallMs, limit: 9 })).toEqual([]);
});
