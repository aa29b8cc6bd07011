// The log as a command reads it: beside a running service or from a copy, and also while the rest of the configuration
// has faults, since that is when it is needed.

import { existsSync } from 'node:fs';
import { loadApps } from '../config/apps.ts';
import { ConfigError, type Environment, readSettings } from '../config/config.ts';
import { showPath } from '../config/files.ts';
import { findSecrets } from '../config/secret.ts';
import { loadSources } from '../config/sources.ts';
import { doorsOf } from '../core/devices/doors.ts';
import type { Names } from '../core/finding/question.ts';
import { DEFAULT_APP } from '../core/target.ts';
import { createSystemClock, createSystemIds } from '../service/system.ts';
import { openReadOnly, type ReadOnlyStore } from '../stores/sqlite/read-only.ts';
import { requireFileDatabase } from './database/database-settings.ts';

export interface LogPlace {
  readonly file: string;
  readonly retentionMs: number;
  /** Opens the file as it is now. */
  open(): ReadOnlyStore;
}

/** Throws a `ConfigError` if no database is there. */
export function findLog(environment: Environment): LogPlace {
  const { values, faults } = readSettings(environment);
  const {
    database: file,
    secret: configured,
    previousSecrets: previous = [],
    retentionMs,
  } = values;
  if (file === undefined || retentionMs === undefined) throw new ConfigError(faults);
  requireFileDatabase(file);
  if (!existsSync(file)) {
    throw new ConfigError([`NDS_DATABASE names ${showPath(file)}, which does not exist`]);
  }
  const keys = findSecrets({ configured, previous, databaseFile: file });
  return { file, retentionMs, open: () => openReadOnly({ file, keys }) };
}

/** What the configuration has of apps and sources, whatever its faults. */
export function namesFor(
  environment: Environment,
  { lookupKey }: Pick<ReadOnlyStore, 'lookupKey'>,
  app: string | undefined,
): Names {
  const settings = readSettings(environment);
  const { names = [] } = loadApps(settings, []);
  const { sources } = loadSources(settings.values, [], { apps: names });
  return {
    fingerprint: createSystemIds(createSystemClock(), lookupKey).fingerprint,
    apps: app === undefined ? [...new Set([DEFAULT_APP, ...names])] : [app],
    doors: doorsOf(sources.keys()),
  };
}
