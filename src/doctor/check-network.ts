// Compares the clock with Google's, and calls our own address from outside.

import type { Finding } from '../service/findings.ts';
import { type GetOptions, httpGet } from './http-get.ts';

/** The header counts whole seconds and an answer takes its time; readiness has the same bound. */
const TOLERANCE_MS = 5_000;

export interface ClockCheck {
  readonly finding: Finding;
  /** This machine's clock minus Google's. */
  readonly skewMs?: number | undefined;
}

/** Every answer from Google has the date, even a 404. */
export async function checkClock(endpoint: string, options: GetOptions): Promise<ClockCheck> {
  const check = 'clock';
  const result = await httpGet(new URL(endpoint), options);
  if ('failure' in result) {
    return { finding: { check, code: 'clock_unknown', text: `${endpoint}: ${result.failure}` } };
  }
  const googleMs = Date.parse(result.date ?? '');
  if (Number.isNaN(googleMs)) {
    return { finding: { check, code: 'clock_unknown', text: `${endpoint} sent no date` } };
  }
  const skewMs = options.clock.wallMs() - googleMs;
  const seconds = Math.round(Math.abs(skewMs) / 1_000);
  if (Math.abs(skewMs) <= TOLERANCE_MS) {
    return { finding: { check, code: 'clock_ok', text: 'agrees with Google’s' }, skewMs };
  }
  const direction = skewMs > 0 ? 'ahead of' : 'behind';
  const text = `this machine is ${seconds} s ${direction} Google’s date header`;
  return { finding: { check, code: 'clock_off', text }, skewMs };
}

export async function checkExternalUrl(
  externalUrl: string | undefined,
  options: GetOptions,
): Promise<Finding> {
  const check = 'external_url';
  if (externalUrl === undefined) {
    return { check, code: 'external_url_missing', text: 'NOTIFY_EXTERNAL_URL is not set' };
  }
  const url = `${externalUrl}/healthz`;
  const result = await httpGet(new URL(url), options);
  if ('failure' in result) {
    return { check, code: 'external_url_silent', text: `GET ${url}: ${result.failure}` };
  }
  if (result.status === 200 && /^\{"status":"alive"/.test(result.body)) {
    return { check, code: 'external_url_ok', text: `${url} answers` };
  }
  const isOurs = result.status >= 500;
  return {
    check,
    code: isOurs ? 'external_url_silent' : 'external_url_wrong',
    text: `GET ${url}: ${result.status}${isOurs ? ' from a proxy in front' : ''}`,
  };
}
