// A disk that is full or read-only when the service starts: a small file system of its own, which only root can mount.

import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { accept, sampleDelivery } from '../../contract/store-samples.ts';
import { useFiles } from './files.ts';

const { open } = useFiles();
const mounted: string[] = [];

function mount(options: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'nds-disk-'));
  execFileSync('mount', ['-t', 'tmpfs', '-o', options, 'tmpfs', folder], { stdio: 'ignore' });
  mounted.push(folder);
  return folder;
}

/** Takes every byte that is left, then every page that such a large write left free. */
function fill(folder: string): void {
  for (const bytes of [4_000_000, 4_096]) {
    try {
      writeFileSync(join(folder, `filler-${bytes}`), Buffer.alloc(bytes));
    } catch (error) {
      expect(error).toMatchObject({ code: 'ENOSPC' });
    }
  }
}

function canMount(): boolean {
  try {
    mount('size=4k');
    unmountAll();
    return true;
  } catch {
    return false;
  }
}

function unmountAll(): void {
  for (const folder of mounted.splice(0)) {
    execFileSync('umount', ['--lazy', folder]);
    rmSync(folder, { recursive: true });
  }
}

afterEach(unmountAll);

const canTry = canMount();

test.runIf(canTry)(
  'starts on a full disk with what it needs to push, and writes when there is room',
  async () => {
    const folder = mount('size=2m');
    const file = join(folder, 'nds.sqlite');
    const before = await open(file);
    await before.store.close();
    fill(folder);
    const { store, lookupKey } = await open(file);
    expect(Buffer.from(lookupKey).equals(before.lookupKey)).toBe(true);
    const insert = store.insert(accept(sampleDelivery(1)));
    await expect(insert).rejects.toMatchObject({ reason: 'full' });

    for (const bytes of [4_000_000, 4_096])
      rmSync(join(folder, `filler-${bytes}`), { force: true });
    await store.insert(accept(sampleDelivery(1)));
    expect(await store.findDeliveries({ limit: 9 })).toHaveLength(1);
    await store.close();
  },
);

test.runIf(canTry)('refuses to make a new database on a full disk, and says why', async () => {
  const folder = mount('size=1m');
  fill(folder);

  await expect(open(join(folder, 'nds.sqlite'))).rejects.toThrow(
    /^NDS_DATABASE names .*nds\.sqlite, which cannot .*the disk is full/,
  );
});

test.runIf(canTry)('refuses a disk that is mounted read-only, and says so', async () => {
  const folder = mount('size=1m');
  execFileSync('mount', ['-o', 'remount,ro', folder]);

  await expect(open(join(folder, 'nds.sqlite'))).rejects.toThrow(
    /^NDS_DATABASE names .*nds\.sqlite, which cannot be written \(the disk is mounted read-only\)/,
  );
});
