// `nds config`: shows which variables are set, where they come from and what is wrong with them; with `--all`, every
// variable with its default and its purpose. No value that could be a secret is shown.

import { ConfigError, type Environment, readSettings } from '../config/config.ts';
import { isServer, looksLikePath } from '../config/files.ts';
import { SETTINGS, type Setting } from '../config/settings.ts';
import { wrap } from '../core/finding/wrap.ts';
import type { Clock } from '../core/ports/clock.ts';
import { prepare } from '../service/prepare.ts';
import { print } from './print.ts';

const INDENT = 6;

export interface Configured {
  readonly name: string;
  readonly from: 'environment' | '.env';
  /** Absent if the value is, or could be, a secret. */
  readonly value?: string | undefined;
}

export interface ConfigOptions {
  readonly all?: boolean;
  readonly json?: boolean;
}

/** Returns 0, or 1 if a start would be refused. */
export async function showConfig(
  { all = false, json = false }: ConfigOptions,
  given: { readonly environment: Environment; readonly fromFile: ReadonlySet<string> },
  clock: Clock,
): Promise<number> {
  if (all) {
    print(json ? `${JSON.stringify(SETTINGS.map(describe))}\n` : catalogue());
    return 0;
  }
  const configured = configuredOf(given);
  const { ignored } = readSettings(given.environment);
  const faults = await faultsOf(given.environment, clock);
  print(
    json
      ? `${JSON.stringify({ settings: configured, ignored, faults })}\n`
      : inWords(configured, { ignored, faults }),
  );
  return faults.length === 0 ? 0 : 1;
}

/** All faults that the start would list, including those of files of apps, keys and sources. */
async function faultsOf(environment: Environment, clock: Clock): Promise<readonly string[]> {
  try {
    const { providers } = await prepare(environment, clock);
    await Promise.all(providers.map(({ provider }) => provider.close()));
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.faults;
    throw error;
  }
}

function configuredOf({
  environment,
  fromFile,
}: {
  readonly environment: Environment;
  readonly fromFile: ReadonlySet<string>;
}): readonly Configured[] {
  return SETTINGS.flatMap((setting) => {
    const value = environment[setting.name]?.trim();
    if (value === undefined || value === '') return [];
    const from = fromFile.has(setting.name) ? '.env' : 'environment';
    return [{ name: setting.name, from, value: isShown(setting, value) ? value : undefined }];
  });
}

/** A key that was pasted into the wrong variable must not be shown either. */
function isShown({ secret, schema }: Setting, value: string): boolean {
  if (secret || isServer(value) || !schema.safeParse(value).success) return false;
  return looksLikePath(value) || !value.split(/[^A-Za-z0-9+/=_-]+/).some(couldBeSecret);
}

/** Matches also after a name, as in `default=KEY`. */
const HEX_KEY = /(?<![0-9a-z])[0-9a-f]{32,}(?![0-9a-z])/i;
const LONG = 16;

function couldBeSecret(word: string): boolean {
  if (HEX_KEY.test(word)) return true;
  return word.length >= LONG && [/[a-z]/, /[A-Z]/, /[0-9]/].every((kind) => kind.test(word));
}

function inWords(
  configured: readonly Configured[],
  { ignored, faults }: { readonly ignored: readonly string[]; readonly faults: readonly string[] },
): string {
  const lines = configured.map(({ name, from, value }) =>
    wrap(`${name}=${value ?? '(set, not shown)'}  [${from}]`, INDENT),
  );
  if (lines.length === 0) lines.push('Nothing is set.');
  lines.push(...ignored.map((sentence) => wrap(sentence, 2)));
  const wrong = faults.map((fault) => wrap(`- ${fault}`, 2));
  const end =
    faults.length === 0 ? [] : ['', faults.length === 1 ? 'A fault:' : 'Faults:', ...wrong];
  return [...lines, ...end, '', '`nds config --all` lists every variable.', ''].join('\n');
}

function describe({ name, group, help, defaultText, secret }: Setting) {
  return { name, group, default: defaultText, secret: secret === true, help };
}

function catalogue(): string {
  const lines: string[] = [];
  let group = '';
  for (const setting of SETTINGS) {
    if (setting.group !== group) lines.push('', setting.group);
    group = setting.group;
    const fallback = setting.defaultText ? ` [${setting.defaultText}]` : '';
    lines.push(
      `  ${setting.name}${fallback}`,
      wrap(`${' '.repeat(INDENT)}${setting.help}`, INDENT),
    );
  }
  return `${lines.join('\n')}\n`;
}
