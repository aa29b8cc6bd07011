#!/usr/bin/env node
// argv -> one command, exit code. What is imported here at once is compiled before the cache is there.

import './compile-cache.js';

const { runCommand } = await import('../src/cli/commands.ts');
process.exitCode = await runCommand(process.argv.slice(2));
