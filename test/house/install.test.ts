// What a newcomer's `npm install` needs: no compiler, no download outside npm, exact versions.

import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { expect, test } from 'vitest';
import { z } from 'zod';

const ROOT = resolve(import.meta.dirname, '../..');

const lists = {
  dependencies: z.record(z.string(), z.string()).optional(),
  devDependencies: z.record(z.string(), z.string()).optional(),
};

const lockSchema = z.object({
  packages: z.record(
    z.string(),
    z.looseObject({
      ...lists,
      optionalDependencies: z.record(z.string(), z.string()).optional(),
      gypfile: z.boolean().optional(),
      resolved: z.string().optional(),
    }),
  ),
});

function readLock() {
  return lockSchema.parse(JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8')));
}

test('better-sqlite3 is not compiled; npm drops this mark whenever it saves the lock, so put it back then', () => {
  expect(readLock().packages['node_modules/better-sqlite3']?.gypfile).toBe(false);
});

test('the lock names exactly the packages of package.json, because otherwise `npm ci` refuses it', () => {
  const { packages } = readLock();
  const { dependencies, devDependencies } = z
    .object(lists)
    .parse(JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')));
  expect(packages['']).toMatchObject({ dependencies, devDependencies });
  const locked = Object.keys({ ...packages['']?.dependencies, ...packages['']?.devDependencies });
  expect(locked.toSorted()).toEqual(
    Object.keys({ ...dependencies, ...devDependencies }).toSorted(),
  );
  expect(locked.filter((name) => packages[`node_modules/${name}`] === undefined)).toEqual([]);
});

test('`npm install` does not save the lock, which would drop the mark', () => {
  expect(readFileSync(join(ROOT, '.npmrc'), 'utf8')).toMatch(/^save=false$/m);
});

test('better-sqlite3 has binaries for every platform on which the service runs or is developed', () => {
  const folder = join(ROOT, 'node_modules/better-sqlite3/prebuilds');
  for (const platform of ['linux-x64', 'linux-arm64', 'darwin-arm64']) {
    expect(() => readFileSync(join(folder, `${platform}.node`))).not.toThrow();
  }
});

test('no package comes from outside the registry', () => {
  const outside = Object.entries(readLock().packages).filter(
    ([, { resolved }]) =>
      resolved !== undefined && !resolved.startsWith('https://registry.npmjs.org/'),
  );
  expect(outside).toEqual([]);
});

test('the lock has the packages of every platform, because otherwise `npm ci` in the image refuses it', () => {
  const { packages } = readLock();
  const held = new Set(Object.keys(packages).map((path) => path.replace(/^.*node_modules\//, '')));
  const missing = Object.values(packages).flatMap(({ optionalDependencies = {} }) =>
    Object.keys(optionalDependencies).filter((name) => !held.has(name)),
  );
  expect(missing).toEqual([]);
});

test('`engines` names the Node version that runs the service, and an older one installs without many warnings', () => {
  const { engines, dependencies } = z
    .object({
      engines: z.object({ node: z.string() }),
      dependencies: z.record(z.string(), z.string()),
    })
    .parse(JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')));
  expect(engines.node).toBe('>=24');
  expect(readFileSync(join(ROOT, 'bin/nds.js'), 'utf8')).toContain('const NEEDED_MAJOR = 24;');
  // npm warns about each package that requires a newer Node than the one npm runs on.
  expect(readFileSync(join(ROOT, '.npmrc'), 'utf8')).toMatch(/^loglevel=error$/m);
  expect(Object.keys(dependencies)).not.toContain('node');
});
