#!/usr/bin/env node
// The command. Plain JavaScript, so that an old Node can say that it is too old; everything else is loaded after that.

import { fileURLToPath } from 'node:url';

const NEEDED_MAJOR = 24;

if (Number.parseInt(process.versions.node, 10) < NEEDED_MAJOR) {
  process.stderr.write(
    `nds needs Node ${NEEDED_MAJOR} or newer; this is Node ${process.versions.node}.\n`,
  );
  process.exitCode = 1;
} else {
  // Without a handler this signal opens Node's inspector, which runs any code that it is sent.
  process.on('SIGUSR1', () => {});
  const { enableCompileCache } = await import('node:module');
  // The store's threads read the variable. The cache is beside the packages, since a folder that others can write to
  // could bring foreign code. Without a cache each of three threads strips the types of its files again: 200 ms of CPU,
  // 30 MB.
  process.env.NODE_COMPILE_CACHE ||= fileURLToPath(
    new URL('../node_modules/.cache/nds', import.meta.url),
  );
  enableCompileCache(process.env.NODE_COMPILE_CACHE);
  const { runCommand } = await import('../src/cli/commands.ts');
  process.exitCode = await runCommand(process.argv.slice(2));
}
