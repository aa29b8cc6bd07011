// `npm run bench:devices`: what it costs to find a device by its handle, with few and with many registered.
// The store alone, through its port, one look-up after the other.

import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { StoredDevice } from '../src/core/ports/devices.ts';
import { openSqliteStore } from '../src/stores/sqlite/store.ts';

const DOORS = ['notify', 'lsps5', 'spark_ssp', 'resmic'];
const COUNTS = [1_000, 100_000];
const LOOKUPS = 5_000;
const ROUNDS = 5;
const BATCH = 1_000;
const NOW_MS = 1_754_049_600_000;

function fingerprint(text: string): string {
  return createHash('sha256').update(text).digest().subarray(0, 16).toString('base64url');
}

function deviceNumber(number: number): StoredDevice {
  const byDoor = (prefix: string) =>
    Object.fromEntries(DOORS.map((door) => [door, fingerprint(`${prefix} ${door} ${number}`)]));
  return {
    device: {
      id: `01986476-4c00-7000-8000-${number.toString(16).padStart(12, '0')}`,
      registrar: 'backend',
      target: { app: 'default', platform: 'android', token: `token-${number}`.padEnd(160, 'x') },
      user: fingerprint(`user ${number}`),
      nodeIds: [],
      secrets: {},
      handles: byDoor('handle'),
      createdAtMs: NOW_MS,
      seenAtMs: NOW_MS,
    },
    hashes: {
      tokenHash: fingerprint(`token ${number}`),
      userHash: fingerprint(`user hash ${number}`),
      identityHash: fingerprint(`identity ${number}`),
      handleHashes: byDoor('hash'),
    },
  };
}

/** Median of the rounds, microseconds per look-up. */
async function measure(count: number, folder: string): Promise<number> {
  const file = join(folder, `${count}.sqlite`);
  const keys = { current: Buffer.alloc(32, 1), previous: [] };
  const { store, devices } = await openSqliteStore({ file, keys });
  for (let from = 0; from < count; from += BATCH) {
    const batch = Array.from({ length: BATCH }, (_, index) => deviceNumber(from + index));
    const limits = { reuse: true, maxPerUser: 10, maxDevices: 1_000_000 };
    await Promise.all(batch.map((added) => devices.addDevice({ added, ...limits })));
  }
  const rounds: number[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    const startedNs = process.hrtime.bigint();
    for (let index = 0; index < LOOKUPS; index += 1) {
      const number = (index * 7_919 + round) % count;
      const found = await devices.findDeviceByHandle(fingerprint(`hash notify ${number}`));
      if (found === undefined) throw new Error('a registered device was not found');
    }
    rounds.push(Number(process.hrtime.bigint() - startedNs) / 1_000 / LOOKUPS);
  }
  await store.close();
  return rounds.toSorted((one, other) => one - other)[Math.floor(ROUNDS / 2)] ?? Number.NaN;
}

const folder = mkdtempSync(join(tmpdir(), 'nds-bench-devices-'));
try {
  for (const count of COUNTS) {
    const microseconds = await measure(count, folder);
    process.stdout.write(`${count} devices: ${microseconds.toFixed(1)} µs per look-up by handle\n`);
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
