// `nds doctor`: says what is wrong with this configuration, this machine and these credentials, and what to do.

import { ConfigError, type Environment } from '../config/config.ts';
import { wrap } from '../core/finding/wrap.ts';
import { examine } from '../doctor/examine.ts';
import { endsDeploy, type Finding, type Level, levelOf, remedyOf } from '../service/findings.ts';
import { createSystemClock } from '../service/system.ts';
import { checkService } from './check-service.ts';
import { readEnvironment } from './environment.ts';
import { print } from './print.ts';

export interface DoctorOptions {
  readonly json?: boolean;
  /** For a deploy: only proven faults of the configuration count as broken. */
  readonly deploy?: boolean;
}

const EXIT_CODES: Readonly<Record<Level, number>> = { ok: 0, warning: 1, broken: 2 };
const GUIDE = 'docs/troubleshooting.md';
const INDENT = 9;

/** Returns 0 if all is well, 1 for warnings, 2 if something is broken. */
export async function doctor({ json = false, deploy = false }: DoctorOptions): Promise<number> {
  const found = await examineHere();
  const exitCode = Math.max(...found.map((finding) => EXIT_CODES[judge(finding, deploy)]));
  const counted = deploy && exitCode < EXIT_CODES.broken ? 0 : exitCode;
  print(
    json
      ? `${JSON.stringify(inJson(found, { deploy, exitCode: counted }), null, 2)}\n`
      : inWords(found, deploy),
  );
  return counted;
}

async function examineHere(): Promise<readonly Finding[]> {
  let environment: Environment;
  try {
    environment = readEnvironment();
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.faults.map((text) => ({ check: 'settings', code: 'settings_wrong', text }));
  }
  const found = await examine(environment, createSystemClock());
  return [...found, ...(await checkService(environment))];
}

/**
 * During a deploy the old machine still works, so faults that may pass or are not in the configuration are only
 * warnings.
 */
function judge(finding: Finding, deploy: boolean): Level {
  const level = levelOf(finding);
  return deploy && level === 'broken' && !endsDeploy(finding) ? 'warning' : level;
}

function inJson(
  found: readonly Finding[],
  { deploy, exitCode }: { readonly deploy: boolean; readonly exitCode: number },
) {
  return {
    exit_code: exitCode,
    findings: found.map((finding) => ({
      check: finding.check,
      code: finding.code,
      level: judge(finding, deploy),
      text: finding.text,
      remedy: levelOf(finding) === 'ok' ? undefined : remedyOf(finding),
      see: seeAlso(finding),
    })),
  };
}

function inWords(found: readonly Finding[], deploy: boolean): string {
  return found.map((finding) => `${paragraph(finding, judge(finding, deploy))}\n`).join('');
}

/** One line if all is well; else the code, the remedy and where to read more, indented below it. */
function paragraph(finding: Finding, level: Level): string {
  const lines = [`${level.padEnd(INDENT)}${finding.check}: ${finding.text}`];
  const see = seeAlso(finding);
  if (see !== undefined) {
    lines.push(`${' '.repeat(INDENT)}${remedyOf(finding) ?? ''}`, `${' '.repeat(INDENT)}${see}`);
  }
  return lines.map((line) => wrap(line, INDENT)).join('\n');
}

function seeAlso(finding: Finding): string | undefined {
  return levelOf(finding) === 'ok' ? undefined : `${GUIDE}#${finding.code}`;
}
