// The size of files and folders, and that no code is repeated: the source stays readable in an afternoon.

import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { expect, test } from 'vitest';

const ROOT = resolve(import.meta.dirname, '../..');
const CODE = /\.[jt]s$/;
const MAX_LINES = 300;
const MAX_FILES = 20;
/** Shorter pieces of code may be equal by chance. */
const REPEATED_LINES = 6;

/** Our own code, without what npm installed beside it. */
function filesBelow(folder: string): readonly string[] {
  return readdirSync(join(ROOT, folder), { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile() && CODE.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name).slice(ROOT.length + 1))
    .filter((file) => !file.split('/').includes('node_modules'));
}

function configFiles(): readonly string[] {
  return readdirSync(ROOT).filter((name) => CODE.test(name));
}

function read(file: string): string {
  return readFileSync(join(ROOT, file), 'utf8');
}

/** The lines with text, without the imports at the top. */
function codeOf(file: string): readonly string[] {
  const [, code = ''] = /^(?:\/\/.*\n|\n|import [^;]*;\n)*([\s\S]*)$/.exec(read(file)) ?? [];
  return code
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '');
}

test.each(['bin', 'src', 'sandbox', 'bench', 'test', '.'])(
  'no file in %s has more than 300 lines',
  (folder) => {
    const files = folder === '.' ? configFiles() : filesBelow(folder);
    expect(files).not.toEqual([]);
    expect(files.filter((file) => read(file).split('\n').length - 1 > MAX_LINES)).toEqual([]);
  },
);

test('no folder of src has more than 20 files', () => {
  const counts = new Map<string, number>();
  for (const file of filesBelow('src')) {
    const folder = dirname(file);
    counts.set(folder, (counts.get(folder) ?? 0) + 1);
  }
  expect(counts.size).toBeGreaterThan(10);
  expect([...counts].filter(([, count]) => count > MAX_FILES)).toEqual([]);
});

test('no six lines of src are repeated', () => {
  const places = new Map<string, string[]>();
  // The tables of one database look like those of the other on purpose, so that a reader of one understands both.
  const files = filesBelow('src').filter(
    (file) => !/^src\/stores\/postgres\/.*schema\.ts$/.test(file),
  );
  for (const file of files) {
    const lines = codeOf(file);
    for (let from = 0; from + REPEATED_LINES <= lines.length; from += 1) {
      const piece = lines.slice(from, from + REPEATED_LINES).join('\n');
      places.set(piece, [...(places.get(piece) ?? []), file]);
    }
  }
  expect(places.size).toBeGreaterThan(1_000);
  expect([...places].filter(([, files]) => files.length > 1)).toEqual([]);
});
