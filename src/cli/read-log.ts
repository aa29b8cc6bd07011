// The log as a command reads it: beside a running service or from a copy. Works also if the rest of the configuration
// has faults, since the log is needed most at such times.

import { loadApps } from '../config/apps.ts';
import { ConfigError, type Environment, readSettings } from '../config/config.ts';
import { isServer } from '../config/files.ts';
import { findSecrets, loadSecrets } from '../config/secret.ts';
import { loadSources } from '../config/sources.ts';
import { doorsOf } from '../core/devices/doors.ts';
import type { Names } from '../core/finding/question.ts';
import type { ReadableLog } from '../core/ports/readable-log.ts';
import { DEFAULT_APP } from '../core/target.ts';
import { createSystemClock, createSystemIds } from '../service/system.ts';
import { openReadOnly } from '../stores/sqlite/read-only.ts';
import { requireFile } from './database/database-settings.ts';

export interface LogPlace {
  readonly retentionMs: number;
  /** A file may be replaced by another one, so a command that polls opens it each time. */
  readonly isFile: boolean;
  open(): Promise<ReadableLog>;
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
  if (isServer(file)) return findServer(file, { configured, previous, retentionMs });
  requireFile(file);
  const keys = findSecrets({ configured, previous, databaseFile: file });
  return { retentionMs, isFile: true, open: async () => openReadOnly({ file, keys }) };
}

/** The driver is loaded only for those who have such a database. */
function findServer(url: string, { configured, previous, retentionMs }: ServerSettings): LogPlace {
  if (configured === undefined) {
    throw new ConfigError(['NDS_SECRET is required: the one that all machines have']);
  }
  const keys = loadSecrets({ configured, previous });
  const clock = createSystemClock();
  const open = async () => {
    const postgres = await import('../stores/postgres/read-only.ts');
    return await postgres.openReadOnly({ url, keys, clock });
  };
  return { retentionMs, isFile: false, open };
}

interface ServerSettings {
  readonly configured: string | undefined;
  readonly previous: readonly string[];
  readonly retentionMs: number;
}

/** The names of apps and sources in the configuration, whatever faults it has. */
export function namesFor(
  environment: Environment,
  { lookupKey }: Pick<ReadableLog, 'lookupKey'>,
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
