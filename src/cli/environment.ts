// The environment of a command: the process's variables, and `.env` for those that are not set.

import { readFileSync } from 'node:fs';
import { loadEnvFile } from 'node:process';
import { parseEnv } from 'node:util';
import { ConfigError, type Environment } from '../config/config.ts';
import { faultOfEncoding } from '../config/files.ts';

const FILE = '.env';

/** Throws a `ConfigError` for a `.env` that cannot be read. */
export function readEnvironment(): Environment {
  const text = readIfThere();
  if (text === undefined) return process.env;
  const fault = faultOfEncoding(text);
  if (fault !== undefined) throw new ConfigError([`${FILE} ${fault}`]);
  loadEnvFile(FILE);
  return process.env;
}

/** The same, and the names of the variables that come from `.env`. */
export function readEnvironmentWithOrigin(): {
  readonly environment: Environment;
  readonly fromFile: ReadonlySet<string>;
} {
  const own = new Set(Object.keys(process.env));
  const environment = readEnvironment();
  const fromFile = Object.keys(environment).filter((name) => !own.has(name));
  return { environment, fromFile: new Set(fromFile) };
}

/** The same for a process that reads files again later: the values taken from `.env` stay as they are. */
export function readEnvironmentOnce(): {
  readonly environment: Environment;
  /** The variables that have other values in `.env` now: they need a restart. Throws as `readEnvironment` does. */
  changedNames(): readonly string[];
} {
  const own = { ...process.env };
  const environment = { ...readEnvironment() };
  return {
    environment,
    changedNames: () => {
      const now: Environment = { ...parseEnv(readIfThere() ?? ''), ...own };
      const names = new Set([...Object.keys(now), ...Object.keys(environment)]);
      return [...names].filter((name) => now[name] !== environment[name]);
    },
  };
}

function readIfThere(): string | undefined {
  try {
    return readFileSync(FILE, 'utf8');
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unreadable';
    if (code === 'ENOENT') return undefined;
    throw new ConfigError([`${FILE} cannot be read (${code})`]);
  }
}
