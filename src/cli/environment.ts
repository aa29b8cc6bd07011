// The environment of a command: the process's variables, and `.env` for those that are not set.

import { loadEnvFile } from 'node:process';
import type { Environment } from '../config/config.ts';

export function readEnvironment(): Environment {
  try {
    loadEnvFile();
  } catch (error) {
    const isMissing = error instanceof Error && 'code' in error && error.code === 'ENOENT';
    if (!isMissing) throw error;
  }
  return process.env;
}
