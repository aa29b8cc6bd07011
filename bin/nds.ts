#!/usr/bin/env node
// argv -> one command, exit code.

import { runCommand } from '../src/cli/commands.ts';

process.exitCode = await runCommand(process.argv.slice(2));
