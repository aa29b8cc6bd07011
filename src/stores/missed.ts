// Which pushes were missed (`delivery.no_wake`), the same for every adapter.

/** What is recorded about a push that no receipt answered in time. */
export const MISSED = 'delivery.no_wake';
/** If the service was down for this long, a receipt may have been lost: phones do not retry. */
export const DEAF_STOP_MS = 5_000;

/**
 * Whether the service ran during the whole time in which the receipt could come. `stops` are the times when it did not.
 */
export function wasHeard(
  awaited: { readonly accepted_at_ms: number; readonly until_ms: number },
  stops: readonly { readonly began_at_ms: number; readonly ended_at_ms: number }[],
): boolean {
  return stops.every(
    (stop) => stop.ended_at_ms <= awaited.accepted_at_ms || stop.began_at_ms >= awaited.until_ms,
  );
}
