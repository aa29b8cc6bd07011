// What calls that left no delivery were refused for, and what to do about it.

import { ERRORS, type ErrorCode } from '../errors.ts';
import { REPEATED, type Refusal } from '../ports/records.ts';
import type { QuarantineEntry } from '../ports/store.ts';
import type { Verdict } from './delivery-verdict.ts';
import { momentOf, timesOf } from './words.ts';

/** The code of a verdict about a refusal: `refused_bad_signature`. */
export function refusedCode(code: string): string {
  return code === REPEATED ? 'repeated' : `refused_${code}`;
}

/** `same` are the refusals of one door and code, the newest first. */
export function judgeRefusals(
  same: readonly [Refusal, ...Refusal[]],
  quarantined: readonly QuarantineEntry[],
): Verdict {
  const [last] = same;
  const first = same.at(-1) ?? last;
  const count = same.reduce((sum, refusal) => sum + refusal.count, 0);
  const when =
    count === 1
      ? `at ${momentOf(last.lastAtMs)}`
      : `${timesOf(count)}, from ${momentOf(first.atMs)} to ${momentOf(last.lastAtMs, first.atMs)}`;
  const code = refusedCode(last.code);
  if (last.code === REPEATED) {
    return {
      code,
      sentence: `A repeat of a call that was accepted before (${when}): nothing was sent again.`,
    };
  }
  const sentence = `Refused with ${last.status} ${last.code} ${when}: ${whyOf(last, quarantined)}`;
  return { code, sentence };
}

function whyOf(refusal: Refusal, quarantined: readonly QuarantineEntry[]): string {
  const { nodeId, limit, fields, source, app = 'default' } = refusal;
  switch (refusal.code) {
    case 'bad_signature':
      return nodeId === undefined
        ? `the signature does not fit the body: compare the secret at the caller with the one here${ofSource(source)}.`
        : `the call was signed by the node ${nodeId.slice(0, 12)}…, which this device does not allow: register the device with this node id if it is the right LSP.`;
    case 'stale_timestamp':
      return 'the time in the call is missing, or minutes away from ours: check the clock of the caller.';
    case 'rate_limited':
      if (limit === 'wrong_keys') {
        return 'too many wrong keys came from the same address: correct the key at the caller.';
      }
      return `more calls came than ${limit ?? 'a limit'} allows: raise that limit if these calls are genuine.`;
    case 'token_unregistered':
      return `${deadSince(quarantined)}: the app was removed or its token changed, and the wallet must register its new one.`;
    case 'token_rejected':
      return `the provider refused this token a moment before${reasonIn(quarantined)}, so it was not asked again; see the delivery before.`;
    case 'token_throttled':
      return `the provider takes no more pushes for this token for a while${reasonIn(quarantined)}; other tokens are not affected.`;
    case 'provider_unavailable':
      return 'the provider had failed for about a minute, so the caller was not made to wait; see its outages here or at its status page.';
    case 'provider_not_configured':
      return `no credentials for the platform of this token are configured for the app ${app}.`;
    case 'bad_query':
    case 'bad_body':
      return fields === undefined
        ? remedyOf(refusal.code)
        : `the call is wrong in ${fields.replaceAll(',', ', ')}: correct it at the caller.`;
    default:
      return remedyOf(refusal.code);
  }
}

function ofSource(source: string | undefined): string {
  return source === undefined ? '' : ` for the source ${source}`;
}

function deadSince(quarantined: readonly QuarantineEntry[]): string {
  const entry = quarantined.find(({ kind }) => kind === 'unregistered');
  if (entry === undefined) return 'the provider said before that the token is dead';
  return `the provider said at ${momentOf(entry.sinceMs)} that the token is dead (${entry.reason})`;
}

function reasonIn(quarantined: readonly QuarantineEntry[]): string {
  const [entry] = quarantined;
  return entry === undefined ? '' : ` (${entry.reason})`;
}

/** The same words as in the answer to the caller. */
function remedyOf(code: string): string {
  return isErrorCode(code) ? lowerFirst(ERRORS[code].remedy) : 'docs/errors.md explains the code.';
}

function isErrorCode(code: string): code is ErrorCode {
  return Object.hasOwn(ERRORS, code);
}

/** Code words keep their case. */
function lowerFirst(text: string): string {
  return /^[A-Z][a-z]/.test(text) ? `${text.charAt(0).toLowerCase()}${text.slice(1)}` : text;
}
