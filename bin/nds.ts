#!/usr/bin/env node
// argv -> one command, exit code. Imports are read before anything runs: the command comes after the cache.

import './compile-cache.js';

const { runCommand } = await import('../src/cli/commands.ts');
process.exitCode = await runCommand(process.argv.slice(2));
