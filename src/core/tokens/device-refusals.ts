// Refusals of the vendor's own devices: with a wrong environment, topic or project all of them are refused, with a
// development build only that one device. Counts per reason against what was accepted, for readiness.

const MINUTE_MS = 60_000;
/** Older evidence says nothing about today's configuration. */
const EVIDENCE_MS = 10 * MINUTE_MS;
/** How far back the figures go while there is new evidence. */
const FIGURES_MS = 60 * MINUTE_MS;
/** This many different devices point to our side: two may be one person's phones. */
const DEVICES_FOR_DOUBT = 3;
/** Below this share they are development builds among the others. */
const DEGRADED_FROM = 0.1;
const MAX_REFUSALS = 1_000;

/** A refusal that several devices got. */
export interface RefusalFigures {
  readonly reason: string;
  readonly refused: number;
  /** All answers in that time, including refusals. */
  readonly answers: number;
  readonly overMs: number;
  /** No push was accepted since. */
  readonly isTotal: boolean;
}

interface DeviceRefusal {
  readonly atMs: number;
  readonly device: string;
  readonly reason: string;
}

export class DeviceRefusals {
  /** Oldest first. */
  #refusals: readonly DeviceRefusal[] = [];
  /** Accepted pushes by minute, as far back as the figures go. */
  readonly #accepted = new Map<number, number>();
  #acceptedAtMs = Number.NEGATIVE_INFINITY;

  refused(refusal: DeviceRefusal): void {
    this.#refusals = [...this.#refusals, refusal].slice(-MAX_REFUSALS);
  }

  /** Any push that a provider accepts counts: it had the same credentials. */
  accepted(nowMs: number): void {
    this.#acceptedAtMs = nowMs;
    const minute = Math.floor(nowMs / MINUTE_MS);
    this.#accepted.set(minute, (this.#accepted.get(minute) ?? 0) + 1);
    for (const earlier of this.#accepted.keys()) {
      if (earlier > minute - FIGURES_MS / MINUTE_MS) break;
      this.#accepted.delete(earlier);
    }
  }

  /** The most frequent refusal of several devices, if it weighs enough. */
  figures(nowMs: number): RefusalFigures | undefined {
    const all = this.#refusals.filter(({ atMs }) => nowMs - atMs < FIGURES_MS);
    this.#refusals = all;
    const sinceAccepted = all.filter(({ atMs }) => atMs >= this.#acceptedAtMs);
    const total = mostFrequent(sinceAccepted, nowMs);
    if (total !== undefined) {
      return { ...total, answers: sinceAccepted.length, isTotal: true };
    }
    const partial = mostFrequent(all, nowMs);
    if (partial === undefined) return undefined;
    const answers = all.length + this.#acceptedSince(nowMs - partial.overMs);
    return partial.refused / answers < DEGRADED_FROM
      ? undefined
      : { ...partial, answers, isTotal: false };
  }

  #acceptedSince(sinceMs: number): number {
    const firstMinute = Math.floor(sinceMs / MINUTE_MS);
    return [...this.#accepted]
      .filter(([minute]) => minute >= firstMinute)
      .reduce((sum, [, count]) => sum + count, 0);
  }
}

function mostFrequent(
  refusals: readonly DeviceRefusal[],
  nowMs: number,
): Pick<RefusalFigures, 'reason' | 'refused' | 'overMs'> | undefined {
  const byReason = Map.groupBy(refusals, ({ reason }) => reason);
  const [reason, most = []] =
    [...byReason].toSorted(([, one], [, other]) => other.length - one.length)[0] ?? [];
  const devices = new Set(
    most.filter(({ atMs }) => nowMs - atMs < EVIDENCE_MS).map(({ device }) => device),
  );
  const [first] = most;
  if (reason === undefined || first === undefined || devices.size < DEVICES_FOR_DOUBT) {
    return undefined;
  }
  return { reason, refused: most.length, overMs: nowMs - first.atMs };
}
