// How much room the volume of the log has, and for how many days at the rate of the log's last deliveries.

import { statfsSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { counted } from '../core/counted.ts';
import type { Finding, FindingCode } from '../service/findings.ts';

/** What a delivery to a registered device takes in the log, with its attempt (docs/performance.md). */
const BYTES_PER_DELIVERY = 578;
const DAY_MS = 86_400_000;
/** With less, SQLite cannot open a WAL database under load for long. */
const FULL_BYTES = 16 * 1_024 * 1_024;
const LOW_DAYS = 14;
const LOW_SHARE = 0.1;
/** A tenth of a large volume is plenty. */
const PLENTY_BYTES = 1_024 ** 3;

export interface DiskOptions {
  readonly database: string;
  readonly retentionMs: number;
  /** The rate of the log's last deliveries; absent without a log. */
  readonly deliveriesPerDay?: number | undefined;
}

export function checkDisk(options: DiskOptions): Finding {
  const check = 'disk';
  const folder = nearestFolder(dirname(resolve(options.database)));
  const { bavail, blocks, bsize } = statfsSync(folder);
  const freeBytes = bavail * bsize;
  const days = daysLeft(options, freeBytes);
  const room = { freeBytes, share: bavail / Math.max(1, blocks), days };
  return { check, code: verdictOf(room), text: describeRoom(room, folder) };
}

/** Without a forecast for a full disk: `enough` would contradict it. */
export function describeRoom(room: Room, folder: string): string {
  const { freeBytes, days } = room;
  const free = `${sizeOf(freeBytes)} free at ${folder}`;
  const isFull = verdictOf(room) === 'disk_full';
  return days === undefined || isFull ? free : `${free}, ${wordsOf(days)}`;
}

interface Room {
  readonly freeBytes: number;
  readonly share: number;
  readonly days: number | undefined;
}

export function verdictOf(room: Room): FindingCode {
  const { freeBytes, share, days = Number.POSITIVE_INFINITY } = room;
  if (freeBytes < FULL_BYTES) return 'disk_full';
  const isLow = days < LOW_DAYS || (share < LOW_SHARE && freeBytes < PLENTY_BYTES);
  return isLow ? 'disk_low' : 'disk_ok';
}

/** Infinite if the log stops growing before that, because old deliveries are deleted. */
export function daysLeft(
  { database, retentionMs, deliveriesPerDay }: DiskOptions,
  freeBytes: number,
): number | undefined {
  if (deliveriesPerDay === undefined) return undefined;
  const perDay = deliveriesPerDay * BYTES_PER_DELIVERY;
  const finalBytes = (perDay * retentionMs) / DAY_MS;
  const growsBy = finalBytes - (statSync(database, { throwIfNoEntry: false })?.size ?? 0);
  return growsBy <= freeBytes ? Number.POSITIVE_INFINITY : freeBytes / perDay;
}

function wordsOf(days: number): string {
  return Number.isFinite(days)
    ? `full in ${days < 1 ? 'less than a day' : counted(Math.floor(days), 'day', 'days')} at the present rate`
    : 'enough for NDS_RETENTION at the present rate';
}

function sizeOf(bytes: number): string {
  const gib = bytes / 1_024 ** 3;
  return gib >= 1 ? `${gib.toFixed(1)} GiB` : `${Math.floor(bytes / 1_024 ** 2)} MiB`;
}

/** The folder itself, or the one in which it will be created. */
export function nearestFolder(folder: string): string {
  const isThere = statSync(folder, { throwIfNoEntry: false }) !== undefined;
  const parent = dirname(folder);
  return isThere || parent === folder ? folder : nearestFolder(parent);
}
