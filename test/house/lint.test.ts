// A promise without a handler is an error of the linter: its rejection would end the process.

import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { temporaryFolder } from '../support/service.ts';

const ROOT = resolve(import.meta.dirname, '../..');
const FLOATING = `interface Store { probe(): Promise<void> }
export async function prune(): Promise<void> {}
export function tick(store: Store): void {
  prune();
  store.probe();
  prune().finally(() => {});
}
`;

/** How often the linter, with the rules of this repository, complains about unhandled promises. */
function countFloating(source: string): number {
  const folder = temporaryFolder();
  const { linter } = z
    .object({ linter: z.unknown() })
    .parse(JSON.parse(readFileSync(join(ROOT, 'biome.json'), 'utf8')));
  writeFileSync(join(folder, 'biome.json'), JSON.stringify({ root: true, linter }));
  writeFileSync(join(folder, 'example.ts'), source);
  const biome = join(ROOT, 'node_modules/@biomejs/biome/bin/biome');
  const { stderr } = spawnSync(process.execPath, [biome, 'lint', '.'], {
    cwd: folder,
    encoding: 'utf8',
  });
  return stderr.split(' lint/nursery/noFloatingPromises ').length - 1;
}

test('the linter finds unhandled promises', () => {
  expect(countFloating(FLOATING)).toBe(3);
  expect(countFloating(FLOATING.replaceAll(/^ {2}(.*);$/gm, '  void $1;'))).toBe(0);
});
