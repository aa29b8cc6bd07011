// The configuration: one table of environment variables from which parsing, defaults, help, .env.example
// and docs/configuration.md all come. Every fault is reported at once, with what to do about it.

import type { z } from 'zod';
import { BEHAVIOUR_SETTINGS } from './settings-behaviour.ts';
import { REACH_SETTINGS, type Setting } from './settings-reach.ts';

const SETTINGS_BY_KEY = { ...REACH_SETTINGS, ...BEHAVIOUR_SETTINGS };

export type { Setting };

type SettingKey = keyof typeof SETTINGS_BY_KEY;

export type Config = {
  readonly [Key in SettingKey]: z.output<(typeof SETTINGS_BY_KEY)[Key]['schema']>;
};

/** In the order of the documentation. */
export const SETTINGS: readonly Setting[] = Object.values(SETTINGS_BY_KEY);

/** Everything that is wrong with the configuration, for one message. */
export class ConfigError extends Error {
  readonly faults: readonly string[];

  constructor(faults: readonly string[]) {
    const list = faults.map((fault) => `  - ${fault}`).join('\n');
    super(
      `The configuration has ${faults.length === 1 ? 'a fault' : `${faults.length} faults`}:\n${list}`,
    );
    this.name = 'ConfigError';
    this.faults = faults;
  }
}

export type Environment = Readonly<Record<string, string | undefined>>;

/** What could be read of the environment, and every fault; values of secrets are not repeated. */
export function readSettings(environment: Environment): {
  readonly values: Partial<Config>;
  readonly faults: readonly string[];
} {
  const faults: string[] = [];
  const values: Record<string, unknown> = {};
  for (const [key, setting] of Object.entries<Setting>(SETTINGS_BY_KEY)) {
    const raw = environment[setting.name]?.trim() || setting.defaultText;
    const parsed = setting.schema.safeParse(raw);
    if (parsed.success) values[key] = parsed.data;
    else faults.push(`${setting.name} ${parsed.error.issues[0]?.message ?? 'is not valid'}`);
  }
  return { values, faults };
}

/** The whole configuration. Throws a `ConfigError` with every fault. */
export function parseConfig(environment: Environment): Config {
  const { values, faults } = readSettings(environment);
  if (isComplete(values, faults)) return values;
  throw new ConfigError(faults);
}

/** Every setting was read by its own schema, so without faults the values are those of `Config`. */
export function isComplete(values: Partial<Config>, faults: readonly string[]): values is Config {
  return faults.length === 0 && Object.keys(SETTINGS_BY_KEY).every((key) => key in values);
}
