// Variables that are not settings: one with the prefix of a setting is a fault, since a misspelt name would leave the
// default in force. Those of breez/notify are ignored, so that this service can replace it.

const PREFIX = /^(NDS|APNS|FCM|NOTIFY)_/;
/**
 * Variables that Kubernetes and Docker links set in every container for a service that is called `nds`, `apns` and so
 * on (https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables).
 */
const OF_A_CLUSTER =
  /_(SERVICE_HOST|SERVICE_PORT(_[A-Z0-9_]+)?|PORT(_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?)$/;

/**
 * Variables of breez/notify (config/config.go, breezsdk/cmd/main.go), which requires the first; and why they have no
 * effect here.
 */
const OF_BREEZ_NOTIFY: Readonly<Record<string, string>> = {
  NOTIFY_WORKERS_NUM: 'as many pushes are in flight as come, up to NDS_MAX_IN_FLIGHT',
  NOTIFIER_ENV: 'config.env is not read, and .env in the working directory always is',
};

/** One sentence for each variable that is set and ignored. */
export function ignoredOf(given: ReadonlySet<string>): readonly string[] {
  return Object.entries(OF_BREEZ_NOTIFY)
    .filter(([name]) => given.has(name))
    .map(([name, why]) => `${name} is ignored: ${why}. Remove it.`);
}

/** One fault for each unknown name, with the known one that it is most like. */
export function faultsOfNames(given: Iterable<string>, known: readonly string[]): string[] {
  const faults: string[] = [];
  for (const name of given) {
    if (!PREFIX.test(name) || OF_A_CLUSTER.test(name) || known.includes(name)) continue;
    if (Object.hasOwn(OF_BREEZ_NOTIFY, name)) continue;
    const likely = nearest(name, known);
    const hint = likely === undefined ? '' : `; did you mean ${likely}?`;
    faults.push(`${name} is not a setting of this service${hint}`);
  }
  return faults;
}

/** The word that differs least, if at most a third of its characters and at most `maxEdits` of them differ. */
export function nearest(
  word: string,
  known: readonly string[],
  maxEdits = Number.POSITIVE_INFINITY,
): string | undefined {
  const ranked = known
    .map((candidate) => ({ candidate, edits: editsBetween(word, candidate) }))
    .filter(({ candidate, edits }) => edits <= Math.min(maxEdits, candidate.length / 3))
    .toSorted((one, other) => one.edits - other.edits);
  return ranked[0]?.candidate;
}

/** Levenshtein distance: characters to insert, delete or replace. */
function editsBetween(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, column) => column);
  for (const [index, character] of [...from].entries()) {
    const next = [index + 1];
    for (const [column, other] of [...to].entries()) {
      const replaced = (row[column] ?? 0) + (character === other ? 0 : 1);
      next.push(Math.min(replaced, (row[column + 1] ?? 0) + 1, (next[column] ?? 0) + 1));
    }
    row = next;
  }
  return row[to.length] ?? 0;
}
