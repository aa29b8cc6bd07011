// What an operator reads when a start fails for a reason that the operator can fix: one sentence, no stack.

import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { explain } from '../../src/cli/explain.ts';
import { StoreUnavailableError } from '../../src/core/ports/store.ts';
import { BOTH_PROVIDERS } from '../support/credentials.ts';
import { startProgram } from '../support/program.ts';
import { temporaryFolder } from '../support/service.ts';

/** As Node reports a failed operation. */
function systemError(code: string, syscall: string): Error {
  return Object.assign(new Error(`${code}: it failed, ${syscall} '/data/nds'`), { code, syscall });
}

test.each([
  [systemError('ENOSPC', 'open'), /^NDS_DATABASE: the disk is full/],
  [systemError('ENOSPC', 'mkdir'), /^NDS_DATABASE: the disk is full/],
  [systemError('EROFS', 'mkdir'), /^NDS_DATABASE: .* read-only/],
  [systemError('EACCES', 'open'), /^NDS_DATABASE: .* read-only/],
  [systemError('ENOTDIR', 'mkdir'), /^NDS_DATABASE: a part of its path is a file/],
  [new StoreUnavailableError('full'), /^NDS_DATABASE: the disk is full/],
  [new StoreUnavailableError('read_only'), /^NDS_DATABASE: .* read-only/],
  [new StoreUnavailableError('locked'), /^NDS_DATABASE: another process holds/],
  [new StoreUnavailableError('io'), /^NDS_DATABASE: the file cannot be opened/],
  [systemError('EACCES', 'listen'), /^Cannot listen: only root /],
  [
    Object.assign(systemError('EADDRINUSE', 'listen'), { port: 8080 }),
    /^Cannot listen on port 8080: another program/,
  ],
])('%s is one sentence', (error, sentence) => {
  const text = explain(error);
  expect(text).toMatch(sentence);
  expect(text).not.toContain('\n');
});

test('a bug keeps its stack', () => {
  for (const error of [new Error('ours'), new TypeError('ours'), new RangeError('ours')]) {
    expect(explain(error)).toMatch(/ours\n {4}at /);
  }
});

test('a database that cannot be made at its path is reported by its variable', async () => {
  const folder = temporaryFolder();
  writeFileSync(join(folder, 'file.txt'), '');
  mkdirSync(join(folder, 'nds.sqlite'));
  for (const NDS_DATABASE of [
    join(folder, 'file.txt/nds.sqlite'),
    join(folder, 'nds.sqlite'),
    '/sys/nds/nds.sqlite',
  ]) {
    const environment = {
      ...BOTH_PROVIDERS,
      NOTIFY_HTTP_ADDRESS: '127.0.0.1:0',
      NDS_SECRET: 'a secret for tests only',
      NDS_DATABASE,
    };
    const { code, stdout, stderr } = await startProgram({ args: [], environment, folder }).ended;
    expect([code, stdout], NDS_DATABASE).toEqual([1, '']);
    expect(stderr).toMatch(/^nds cannot start\.\nNDS_DATABASE[: ][^\n]+\n$/);
  }
});
