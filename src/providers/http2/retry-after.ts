// Reads the Retry-After header of RFC 9110 section 10.2.3: seconds, or an HTTP date.

const SECONDS = /^\d+$/;
/** IMF-fixdate and the obsolete RFC 850 form. `Date.parse` would guess at anything else, even "1.5" and "-5". */
const HTTP_DATE = /^[A-Za-z]+, [\w :-]+ GMT$/;
/** No push lives longer than a day. */
const MAX_RETRY_AFTER_MS = 86_400_000;

/** Milliseconds to wait from `wallMs` on; `undefined` if the header is absent or unreadable. */
export function parseRetryAfter(
  header: string | readonly string[] | undefined,
  wallMs: number,
): number | undefined {
  const value = (typeof header === 'string' ? header : header?.[0])?.trim() ?? '';
  const waitMs = SECONDS.test(value)
    ? Number(value) * 1_000
    : (parseHttpDate(value) ?? NaN) - wallMs;
  if (Number.isNaN(waitMs)) return undefined;
  return Math.min(Math.max(waitMs, 0), MAX_RETRY_AFTER_MS);
}

/** Unix milliseconds; `undefined` if `text` is not an HTTP date (RFC 9110 section 5.6.7). */
export function parseHttpDate(text: string | undefined): number | undefined {
  if (text === undefined || !HTTP_DATE.test(text)) return undefined;
  const unixMs = Date.parse(text);
  return Number.isNaN(unixMs) ? undefined : unixMs;
}
