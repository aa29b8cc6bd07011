// The log and its secret, read beside a running service without a lock or a change, and what the log says about rates
// and about pushes that a provider accepted.

import { accessSync, constants, existsSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { showPath } from '../config/files.ts';
import { findSecrets } from '../config/secret.ts';
import type { Clock } from '../core/ports/clock.ts';
import type { LoggedDelivery } from '../core/ports/store.ts';
import type { ProviderName } from '../core/target.ts';
import type { Finding } from '../service/findings.ts';
import { DatabaseRefusedError } from '../stores/refused.ts';
import { openReadOnly } from '../stores/sqlite/read-only.ts';
import { nearestFolder } from './check-disk.ts';

const SAMPLE = 1_000;
const DAY_MS = 86_400_000;
const HOUR_MS = 3_600_000;

export interface DatabaseSettings {
  readonly database: string;
  readonly secret?: string | undefined;
  readonly previousSecrets: readonly string[];
}

/** What the newest deliveries say. */
export interface LogSample {
  readonly deliveriesPerDay?: number | undefined;
  /** When the provider last accepted a push of the app, ISO 8601. */
  acceptedAt(app: string, provider: ProviderName): string | undefined;
}

export interface DatabaseCheck {
  readonly finding: Finding;
  readonly sample: LogSample;
}

const NOTHING: LogSample = { acceptedAt: () => undefined };

export function checkDatabase(settings: DatabaseSettings, clock: Clock): DatabaseCheck {
  const { database: file, secret: configured, previousSecrets: previous } = settings;
  const check = 'database';
  const shown = showPath(file);
  try {
    if (!existsSync(file) || isEmptyFile(file))
      return { finding: checkPlace(file), sample: NOTHING };
    const keys = findSecrets({ configured, previous, databaseFile: file });
    const log = openReadOnly({ file, keys });
    try {
      const found = log.findDeliveries({ limit: SAMPLE });
      const newest = found[0];
      const last = newest === undefined ? 'empty' : `last delivery ${isoTime(newest.receivedAtMs)}`;
      return {
        finding: { check, code: 'database_ok', text: `${shown} can be read; ${last}` },
        sample: sampleOf(found, clock),
      };
    } finally {
      log.close();
    }
  } catch (error) {
    return { finding: refusal(error), sample: NOTHING };
  }
}

/** As a start that was broken off leaves it. */
function isEmptyFile(file: string): boolean {
  const found = statSync(file);
  return found.isFile() && found.size === 0;
}

/** Whether the first start can make it. */
function checkPlace(file: string): Finding {
  const check = 'database';
  const folder = nearestFolder(dirname(resolve(file)));
  if (statSync(folder).isDirectory() && isWritable(folder)) {
    return { check, code: 'database_new', text: `${showPath(file)} is made at the first start` };
  }
  const text = `${showPath(file)} cannot be made: ${folder} is no folder that this user may write`;
  return { check, code: 'database_unusable', text };
}

function isWritable(path: string): boolean {
  try {
    accessSync(path, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

export function checkSecret({ secret }: Pick<DatabaseSettings, 'secret'>): Finding {
  const check = 'secret';
  return secret === undefined
    ? { check, code: 'secret_beside_database', text: 'NDS_SECRET is not set' }
    : { check, code: 'secret_ok', text: 'NDS_SECRET is set' };
}

function refusal(error: unknown): Finding {
  const text = error instanceof Error ? error.message : String(error);
  const isSecret = error instanceof DatabaseRefusedError && error.kind === 'unknown_key';
  return {
    check: 'database',
    code: isSecret ? 'database_wrong_secret' : 'database_unusable',
    text,
  };
}

function sampleOf(found: readonly LoggedDelivery[], clock: Clock): LogSample {
  const oldest = found.at(-1);
  // At least an hour, because the first calls of a new log come close together.
  const overMs = Math.max(HOUR_MS, clock.wallMs() - (oldest?.receivedAtMs ?? 0));
  return {
    deliveriesPerDay: oldest === undefined ? undefined : (found.length * DAY_MS) / overMs,
    acceptedAt: (app, provider) => {
      const accepted = found.find(
        (one) => one.status === 'delivered' && one.app === app && one.provider === provider,
      );
      return accepted && isoTime(accepted.receivedAtMs);
    },
  };
}

function isoTime(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19)}Z`;
}
