// The secret that protects the log at rest: from the configuration, or made once and kept beside the
// database; and the encryption keys that are derived from it.

import { hkdfSync, randomBytes } from 'node:crypto';
import {
  closeSync,
  fsyncSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { showPath } from './files.ts';

export interface Secrets {
  readonly current: Uint8Array;
  readonly previous: readonly Uint8Array[];
  /** The file that holds a secret we made ourselves; absent if it came from the configuration. */
  readonly madeFile?: string;
}

/** Keys of 32 bytes for AES-256-GCM, by HKDF-SHA-256, so that any random text can be the secret. */
function encryptionKey(secret: string): Uint8Array {
  return new Uint8Array(
    hkdfSync('sha256', secret, 'nds', 'encryption key of the log, version 1', 32),
  );
}

/** The key under which machines that share a database sign what they forward to each other. */
export function forwardingKey(secret: string): Uint8Array {
  return new Uint8Array(hkdfSync('sha256', secret, 'nds', 'key between machines, version 1', 32));
}

/**
 * A secret beside the database protects a copy of only the database (a backup, a lost snapshot of the file), not a copy
 * of the whole folder; the start warns about that.
 */
export function loadSecrets(options: {
  readonly configured: string | undefined;
  readonly previous: readonly string[];
  /** Absent if no secret can be made: then one must be configured. */
  readonly databaseFile?: string | undefined;
}): Secrets {
  const madeFile = options.databaseFile && secretFile(options.databaseFile);
  const [made, ...replaced] = madeFile === undefined ? [] : readMade(madeFile);
  const previous = [...options.previous, ...replaced];
  if (options.configured !== undefined) {
    // Changing from the generated secret to a configured one is a rotation like any other.
    const older = made === undefined ? previous : [...previous, made];
    return { current: encryptionKey(options.configured), previous: older.map(encryptionKey) };
  }
  if (madeFile === undefined) throw new Error('a database that machines share needs NDS_SECRET');
  const secret = made ?? makeSecret(madeFile);
  return { current: encryptionKey(secret), previous: previous.map(encryptionKey), madeFile };
}

/**
 * The same for commands that only read: makes no secret. Without a secret no key is known, and a database that has one
 * reports that it was made with another secret.
 */
export function findSecrets(options: {
  readonly configured: string | undefined;
  readonly previous: readonly string[];
  readonly databaseFile: string;
}): Secrets {
  const made = readMade(secretFile(options.databaseFile));
  const secrets = [options.configured, ...made, ...options.previous];
  const [current = new Uint8Array(32), ...previous] = secrets.flatMap((secret) =>
    secret === undefined ? [] : [encryptionKey(secret)],
  );
  return { current, previous };
}

/** A secret file from which no secret can be read: a new secret could not open the old database. */
export function faultOfSecretFile(databaseFile: string): string | undefined {
  const file = secretFile(databaseFile);
  const shown = `the .secret file beside NDS_DATABASE (${showPath(databaseFile)})`;
  try {
    const secret = readFileSync(file, 'utf8').trim();
    return secret === ''
      ? `${shown} is empty: restore it from a backup, or delete it together with the database`
      : undefined;
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unreadable';
    // Without a folder there is no file either.
    return code === 'ENOENT' || code === 'ENOTDIR'
      ? undefined
      : `${shown} cannot be read (${code}): check owner and mode`;
  }
}

function secretFile(databaseFile: string): string {
  return `${databaseFile}.secret`;
}

/**
 * The newest one first. During a rotation the file has two lines, so that a crash leaves no database whose secret is
 * nowhere.
 */
function readMade(file: string): readonly string[] {
  try {
    const lines = readFileSync(file, 'utf8').split('\n');
    return lines.map((line) => line.trim()).filter((line) => line !== '');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return [];
    throw error;
  }
}

/**
 * Replaces the generated secret, and has `reseal` write the database under the new one. If this is interrupted at any
 * point, the file contains the secret that the database is under.
 */
export function replaceMadeSecret(databaseFile: string, reseal: (secrets: Secrets) => void): void {
  const file = secretFile(databaseFile);
  const [made, ...replaced] = readMade(file);
  if (made === undefined) throw new Error('there is no secret beside the database');
  const secret = randomSecret();
  const older = [made, ...replaced];
  writeWhole(file, [secret, ...older]);
  reseal({ current: encryptionKey(secret), previous: older.map(encryptionKey) });
  writeWhole(file, [secret]);
}

/** Whether the database has a generated secret. */
export function hasMadeSecret(databaseFile: string): boolean {
  return readMade(secretFile(databaseFile)).length > 0;
}

function randomSecret(): string {
  return randomBytes(32).toString('base64url');
}

/** Synced to the disk before anything is encrypted with it. */
function makeSecret(file: string): string {
  const secret = randomSecret();
  writeNew(file, [secret]);
  return secret;
}

/** At every moment the file is complete, with the old or the new content. */
function writeWhole(file: string, secrets: readonly string[]): void {
  const next = `${file}.next`;
  rmSync(next, { force: true });
  writeNew(next, secrets);
  renameSync(next, file);
  const folder = openSync(dirname(file), 'r');
  fsyncSync(folder);
  closeSync(folder);
}

function writeNew(file: string, secrets: readonly string[]): void {
  const handle = openSync(file, 'wx', 0o600);
  try {
    writeSync(handle, `${secrets.join('\n')}\n`);
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}
