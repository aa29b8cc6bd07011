// What `nds find` answers about a running service, without a separate process and at the time of the test's clock.

import { findSecrets } from '../../src/config/secret.ts';
import { doorsOf } from '../../src/core/devices/doors.ts';
import { type FindResult, find } from '../../src/core/finding/find.ts';
import { createSources } from '../../src/sources/all-sources.ts';
import { LSPS5_DEFAULTS } from '../../src/sources/lsps5.ts';
import { openReadOnly } from '../../src/stores/sqlite/read-only.ts';
import type { Setup } from './service.ts';

const DAY_MS = 86_400_000;
const DOORS = doorsOf(createSources({ lsps5: LSPS5_DEFAULTS, generic: [] }).keys());

export async function findIn(running: Setup, known: string, nowMs: number): Promise<FindResult> {
  await running.service.settled();
  const { NDS_DATABASE: databaseFile = '', NDS_SECRET: configured } = running.environment;
  const keys = findSecrets({ configured, previous: [], databaseFile });
  const log = openReadOnly({ file: databaseFile, keys });
  try {
    const { fingerprint } = running.service.ids;
    const names = { fingerprint, apps: ['default'], doors: DOORS };
    const parts = { ...names, gather: log.gather, retentionMs: 30 * DAY_MS, nowMs };
    return await find(known, parts, { limit: 20 });
  } finally {
    log.close();
  }
}
