// Reads the Retry-After header of RFC 9110 section 10.2.3: seconds, or an HTTP date.

const SECONDS = /^\d{1,9}$/;
/** Nothing lives longer than a day. */
const MAX_RETRY_AFTER_MS = 86_400_000;

/** Milliseconds to wait from `wallMs` on; `undefined` if the header is absent or unreadable. */
export function parseRetryAfter(
  header: string | readonly string[] | undefined,
  wallMs: number,
): number | undefined {
  const value = typeof header === 'string' ? header.trim() : header?.[0]?.trim();
  if (value === undefined || value === '') return undefined;
  const waitMs = SECONDS.test(value) ? Number(value) * 1_000 : Date.parse(value) - wallMs;
  if (Number.isNaN(waitMs)) return undefined;
  return Math.min(Math.max(waitMs, 0), MAX_RETRY_AFTER_MS);
}
