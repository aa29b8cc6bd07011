// Reads the settings from the environment. Every fault is reported at once, with what to do about it; no
// value of a secret is repeated.

import { type Config, SETTINGS, SETTINGS_BY_KEY, type Setting } from './settings.ts';
import { faultsOfNames, ignoredOf } from './unknown-variables.ts';

export type { Config };

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

export interface ReadSettings {
  /** The settings whose values are valid. */
  readonly values: Partial<Config>;
  /**
   * The names that are set, whether or not their values are valid: a setting that is set is never reported as missing.
   */
  readonly given: ReadonlySet<string>;
  /** A sentence for each variable that is set but has no effect here. */
  readonly ignored: readonly string[];
  readonly faults: readonly string[];
}

/** Settings of which only one may be set, because otherwise it would be unclear which one counts. */
const EXCLUSIVE: readonly (readonly [string, string])[] = [
  ['APNS_KEY', 'APNS_KEY_FILE'],
  ['GOOGLE_APPLICATION_CREDENTIALS_JSON', 'GOOGLE_APPLICATION_CREDENTIALS'],
  ['NDS_APPS', 'NDS_APPS_FILE'],
  ['NDS_SOURCES', 'NDS_SOURCES_FILE'],
  ['NDS_ENDPOINTS', 'NDS_ENDPOINTS_FILE'],
];

export function readSettings(environment: Environment): ReadSettings {
  const given = new Set(
    Object.entries(environment)
      .filter(([, value]) => value !== undefined && value.trim() !== '')
      .map(([name]) => name),
  );
  const names = SETTINGS.map(({ name }) => name);
  const faults = faultsOfNames(given, names);
  for (const [one, other] of EXCLUSIVE) {
    if (given.has(one) && given.has(other)) {
      faults.push(`${one} and ${other} are both set: remove one of them`);
    }
  }
  const values: Record<string, unknown> = {};
  for (const [key, setting] of Object.entries<Setting>(SETTINGS_BY_KEY)) {
    const raw = environment[setting.name]?.trim() || setting.defaultText;
    const parsed = setting.schema.safeParse(raw);
    if (parsed.success) values[key] = parsed.data;
    else faults.push(`${setting.name} ${parsed.error.issues[0]?.message}${quotesAround(raw)}`);
  }
  return { values, given, ignored: ignoredOf(given), faults };
}

/** `docker run --env-file` and some consoles keep quotes as a part of the value. */
function quotesAround(value = ''): string {
  return /^(["']).*\1$/s.test(value) ? ' (the value has quotes around it: remove them)' : '';
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
