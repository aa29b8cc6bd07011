// What every story of a failure needs: a running service, and the places where an operator looks.

import { examine } from '../../src/doctor/examine.ts';
import type { FindingCode } from '../../src/service/findings.ts';
import { createSystemClock } from '../../src/service/system.ts';
import { findIn } from '../support/finding.ts';
import { METRICS_ENVIRONMENT, metric } from '../support/metrics.ts';
import { REGISTRY_ENVIRONMENT } from '../support/registry.ts';
import { type OnEnd, type Setup, type SetupOptions, setup } from '../support/service.ts';

export interface Sign {
  readonly where: 'nds doctor' | 'nds find' | '/readyz' | '/metrics';
  /** Stable: an alert or a program may search for it. */
  readonly code: string;
  /** For people. */
  readonly words: string;
}

export interface Story {
  readonly failure: string;
  /** Causes the failure in a service, makes calls, and returns the signs. */
  happens(onEnd: OnEnd): Promise<readonly Sign[]>;
  /** Where it must show, and with which code. */
  readonly shows: readonly { readonly where: Sign['where']; readonly code: string }[];
  /** What the words of the first sign must name. */
  readonly names: RegExp;
}

/** A service with registry and metrics; the devices that a test registers count as proven. */
export function open(onEnd: OnEnd, options: SetupOptions = {}): Promise<Setup> {
  return setup({
    onEnd,
    ...options,
    environment: { ...METRICS_ENVIRONMENT, ...REGISTRY_ENVIRONMENT, ...options.environment },
  });
}

/** What `nds doctor` says about a check, with these variables changed; an empty value means that it is not set. */
export async function byDoctor(
  { environment }: Setup,
  check: string,
  changed: Readonly<Record<string, string>> = {},
): Promise<Sign> {
  const findings = await examine({ ...environment, ...changed }, createSystemClock());
  const found = findings.find((finding) => finding.check === check);
  if (found === undefined) throw new Error(`doctor does not check ${check}`);
  const code: FindingCode = found.code;
  return { where: 'nds doctor', code, words: found.text };
}

/** What `nds find` says about anything that an operator has. */
export async function byFind(running: Setup, known: string): Promise<Sign> {
  const { verdict } = await findIn(running, known, Date.now());
  return { where: 'nds find', code: verdict.code, words: verdict.sentence };
}

/** What readiness reports. */
export function atReadyz({ service }: Setup, check: string): Sign {
  const found = service.readiness().checks[check];
  if (found === undefined) throw new Error(`readiness has no check ${check}`);
  const { ready, status = ready ? 'ready' : 'not_ready', detail = '' } = found;
  return { where: '/readyz', code: `${check} ${status}`, words: detail };
}

/** A series that counts it. */
export async function inMetrics(
  running: Setup,
  name: string,
  labels: Readonly<Record<string, string>> = {},
): Promise<Sign> {
  await running.service.settled();
  const value = await metric(running, name, labels);
  const shown = Object.entries(labels).map(([label, text]) => `${label}="${text}"`);
  const series = shown.length === 0 ? name : `${name}{${shown.join(',')}}`;
  return { where: '/metrics', code: value > 0 ? series : 'nothing', words: `is ${value}` };
}
