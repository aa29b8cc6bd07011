// The options that `npm start` gives to node, and their effects.

import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { z } from 'zod';

const ROOT = join(import.meta.dirname, '../..');
/** Reports at the end whether Node's compiler for types was loaded. */
const WATCH = `process.on('exit', () => {
  const isCompiler = (module) => module.includes('deps/amaro');
  process.stderr.write('compiler: ' + process.moduleLoadList.some(isCompiler));
});`;

const manifest = z
  .object({ scripts: z.object({ start: z.string(), nds: z.string() }) })
  .parse(JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')));

test('`npm start` sizes the young generation and is the service itself', () => {
  expect(manifest.scripts.start).toBe('exec node --max-semi-space-size=16 bin/nds.js serve');
});

test('only the first start loads Node’s compiler for types, of 13 MB', async () => {
  const [node, ...command] = manifest.scripts.nds.split(' ');
  expect(node).toBe('node');
  // Without NODE_COMPILE_CACHE: bin/nds.js itself must enable the cache before the first file is loaded.
  const env = { PATH: process.env.PATH };
  const args = [`--import=data:text/javascript,${encodeURIComponent(WATCH)}`, ...command, '--help'];
  const start = async () => await promisify(execFile)(process.execPath, args, { cwd: ROOT, env });
  await start();
  expect((await start()).stderr).toBe('compiler: false');
});
