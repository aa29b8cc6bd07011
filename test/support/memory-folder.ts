// The folder for the databases of tests, in memory. A sync does not wait for a disk there, and a killed process loses
// no more than on a disk. Tests about disks, and the chaos tests, use the disk.

import { existsSync, statfsSync } from 'node:fs';
import { tmpdir } from 'node:os';

const IN_MEMORY = '/dev/shm';
/** A container may have as little as 64 MiB there. */
const LEAST_FREE_BYTES = 1_024 * 1_048_576;

export const MEMORY_FOLDER = hasRoom() ? IN_MEMORY : tmpdir();

function hasRoom(): boolean {
  if (!existsSync(IN_MEMORY)) return false;
  const { bavail, bsize } = statfsSync(IN_MEMORY);
  return bavail * bsize >= LEAST_FREE_BYTES;
}
