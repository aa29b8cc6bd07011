// Imports run one way, and time and random numbers come in through ports.

import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { expect, test } from 'vitest';

const ROOT = resolve(import.meta.dirname, '../..');
const SRC = join(ROOT, 'src');

/** Which parts of the source a part may import from, beside itself, node built-ins and packages. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  core: [],
  http: ['core'],
  sources: ['core'],
  'providers/http2': ['core'],
  'providers/apns': ['core', 'providers/http2'],
  'providers/fcm': ['core', 'providers/http2'],
  stores: ['core', 'stores/sealing'],
  'stores/sealing': ['core'],
  'stores/sqlite': ['core', 'stores', 'stores/sealing'],
  'stores/postgres': ['core', 'stores', 'stores/sealing'],
  endpoints: ['core', 'providers/http2'],
  machines: ['core'],
  observe: ['core'],
  config: ['core', 'endpoints', 'sources', 'providers/apns', 'providers/fcm'],
  doctor: [
    ...['core', 'config', 'endpoints', 'service', 'providers/http2'],
    ...['stores', 'stores/sqlite', 'stores/postgres'],
  ],
  service: [
    'core',
    'config',
    'endpoints',
    'http',
    'machines',
    'sources',
    'observe',
    'providers/apns',
    'providers/fcm',
  ],
};

/** The only library that the core uses is zod. */
const PACKAGES_OF_CORE = ['zod'];

/** Imports that disappear when the types are stripped. */
const TYPES = /^(?:import|export) type [^;]*;$/gm;

/** `main.ts` composes the service from all other parts; only cli may import it, and only bin may import cli. */
const WIRING = 'wiring';

interface Import {
  readonly from: string;
  readonly to: string;
  readonly file: string;
}

function filesBelow(folder: string): readonly string[] {
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
    .map((entry) => join(entry.parentPath, entry.name));
}

function partOf(file: string): string {
  const parts = relative(SRC, file).split('/');
  if (parts.length === 1) return WIRING;
  const [first = '', second = ''] = parts;
  return (first === 'providers' || first === 'stores') && parts.length > 2
    ? `${first}/${second}`
    : first;
}

function specifiersIn(source: string): readonly string[] {
  const pattern =
    /^(?:import|export|\}).*? from '([^']+)';$|^import '([^']+)';$|\bimport\('([^']+)'\)/gm;
  return [...withoutComments(source).matchAll(pattern)].map(
    (match) => match[1] ?? match[2] ?? match[3] ?? '',
  );
}

const imports: readonly Import[] = filesBelow(SRC).flatMap((file) =>
  specifiersIn(readFileSync(file, 'utf8')).map((specifier) => ({
    file: relative(ROOT, file),
    from: partOf(file),
    to: specifier.startsWith('.') ? partOf(resolve(dirname(file), specifier)) : specifier,
  })),
);

test('imports between parts run one way', () => {
  const wrong = imports.filter(({ from, to }) => {
    if (from === to || to.startsWith('node:') || !isPart(to)) return false;
    if (from === WIRING) return to === 'cli';
    if (from === 'cli') return false;
    return !(MAY_IMPORT[from] ?? []).includes(to);
  });
  expect(wrong).toEqual([]);
});

test('every part has a rule', () => {
  const parts = new Set(imports.map(({ from }) => from));
  parts.delete(WIRING);
  parts.delete('cli');
  expect([...parts].filter((part) => !Object.hasOwn(MAY_IMPORT, part))).toEqual([]);
});

test('the core imports no library but zod', () => {
  const packages = imports
    .filter(({ from, to }) => from === 'core' && !isPart(to) && !to.startsWith('node:'))
    .map(({ to }) => to)
    .filter((name) => !PACKAGES_OF_CORE.includes(name));
  expect(packages).toEqual([]);
});

test('the threads of the store load no library but better-sqlite3', () => {
  const packages = new Set<string>();
  const loaded = new Set([join(SRC, 'stores/sqlite/worker.ts')]);
  for (const file of loaded) {
    for (const specifier of specifiersIn(readFileSync(file, 'utf8').replaceAll(TYPES, ''))) {
      if (specifier.startsWith('.')) loaded.add(resolve(dirname(file), specifier));
      else if (!specifier.startsWith('node:')) packages.add(specifier);
    }
  }
  expect([...packages]).toEqual(['better-sqlite3']);
});

test('only bin imports the commands', () => {
  expect(imports.filter(({ from, to }) => to === 'cli' && from !== 'cli')).toEqual([]);
});

test('nothing but system.ts reads the clock, chance or timers', () => {
  const pattern =
    /\b(?:Date\.now|performance\.now|Math\.random|setTimeout|setInterval)\s*\(|new Date\(\s*\)/;
  const wrong = filesBelow(SRC)

    .filter((file) => relative(SRC, file) !== 'service/system.ts')
    .filter((file) => pattern.test(withoutComments(readFileSync(file, 'utf8'))))
    .map((file) => relative(ROOT, file));
  expect(wrong).toEqual([]);
});

test('files stay under 400 lines and begin with a comment that says what they own', () => {
  for (const file of filesBelow(SRC)) {
    const lines = readFileSync(file, 'utf8').split('\n');
    expect(lines.length, relative(ROOT, file)).toBeLessThanOrEqual(400);
    expect(lines[0], relative(ROOT, file)).toMatch(/^\/\/ |^\/\*\*/);
  }
});

function isPart(name: string): boolean {
  return name === WIRING || name === 'cli' || Object.hasOwn(MAY_IMPORT, name);
}

function withoutComments(source: string): string {
  return source.replaceAll(/\/\*[\s\S]*?\*\//g, '').replaceAll(/(^|\s)\/\/.*$/gm, '');
}
