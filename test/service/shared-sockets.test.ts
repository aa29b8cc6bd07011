// Where services over PostgreSQL listen for commands: no other user may be there first, and every command finds the
// newest service.

import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import {
  findSharedPath,
  makeSharedPath,
  sharedFolder,
} from '../../src/service/sockets/shared-sockets.ts';
import { isRoot, NOBODY } from '../support/as-nobody.ts';
import { temporaryFolder } from '../support/service.ts';

const DATABASE = 'postgres://nds:secret@db.internal:5432/nds';

async function listenAt(path: string, madeSeconds: number): Promise<string> {
  const server = createServer((socket) => socket.destroy());
  await new Promise<void>((resolve) => server.listen(path, resolve));
  onTestFinished(() => new Promise<void>((resolve) => server.close(() => resolve())));
  utimesSync(path, madeSeconds, madeSeconds);
  return path;
}

test('the folder is the runtime folder if that is private, else one of this user', () => {
  const temporary = temporaryFolder();
  const runtime = join(temporary, 'run');
  const own = join(temporary, `nds-${process.getuid?.()}`);
  expect(sharedFolder({ runtime, temporary })).toBe(own);
  mkdirSync(runtime, { mode: 0o755 });
  expect(sharedFolder({ runtime, temporary })).toBe(own);
  chmodSync(runtime, 0o700);
  expect(sharedFolder({ runtime, temporary })).toBe(runtime);
  expect(sharedFolder()).toMatch(/^(\/run\/nds|\/tmp\/nds-\d+)$/);
});

test('the folder is made only for this user, whatever the mask', async () => {
  const folder = join(temporaryFolder(), 'nds');
  const before = process.umask(0);
  onTestFinished(() => void process.umask(before));
  const path = await makeSharedPath(DATABASE, 'a-machine', folder);
  expect(statSync(folder).mode & 0o777).toBe(0o700);
  expect(path).toMatch(/\/nds\/[0-9a-f]{16}\.a-machine\.sock$/);
});

test('a folder that others could listen in is used by neither service nor command', async () => {
  const parent = temporaryFolder();
  const open = join(parent, 'open');
  mkdirSync(open);
  chmodSync(open, 0o711);
  const private_ = join(parent, 'private');
  mkdirSync(private_, { mode: 0o700 });
  const link = join(parent, 'link');
  symlinkSync(private_, link);
  const file = join(parent, 'file');
  writeFileSync(file, '', { mode: 0o600 });
  // Only root can change the owner of a folder, and only for root do other users' private folders look usable.
  const foreign = join(parent, 'foreign');
  mkdirSync(foreign, { mode: 0o700 });
  if (isRoot) chownSync(foreign, NOBODY, NOBODY);
  for (const folder of isRoot ? [open, link, file, foreign] : [open, link, file]) {
    const refused = /is not a folder owned by this user with mode 0700/;
    await expect(makeSharedPath(DATABASE, 'a-machine', folder), folder).rejects.toThrow(refused);
    await expect(findSharedPath(DATABASE, folder), folder).rejects.toThrow(refused);
  }
  await expect(makeSharedPath(DATABASE, 'a-machine', join(file, 'below'))).rejects.toThrow(
    /cannot be made \(ENOTDIR\)/,
  );
});

test('a command finds the newest service of its database, whose password may have changed', async () => {
  const folder = join(temporaryFolder(), 'nds');
  expect(await findSharedPath(DATABASE, folder)).toBeUndefined();
  const old = await listenAt(await makeSharedPath(DATABASE, 'z-old', folder), 1_000);
  expect(await findSharedPath(DATABASE, folder)).toBe(old);
  const recent = await listenAt(await makeSharedPath(DATABASE, 'a-new', folder), 2_000);
  expect(await findSharedPath(DATABASE, folder)).toBe(recent);
  expect(await findSharedPath(DATABASE.replace('secret', 'another'), folder)).toBe(recent);
  expect(await findSharedPath(`${DATABASE}2`, folder)).toBeUndefined();
  expect(await findSharedPath(DATABASE.replace('5432', '6432'), folder)).toBeUndefined();
  expect([existsSync(old), existsSync(recent)]).toEqual([true, true]);
});
