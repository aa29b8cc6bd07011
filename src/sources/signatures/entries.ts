// Headers that hold several entries, such as Stripe's `t=1754049600,v1=…` and Svix's `v1,… v1,…`.

/** More than a rotation ever needs. */
export const MAX_ENTRIES = 16;

export interface EntryForm {
  readonly prefix: string;
  /** Undefined: the whole text is the one entry. */
  readonly separator?: string | undefined;
}

/** The entries that begin with the prefix, without it; those beyond the 16th are not looked at. */
export function entriesOf(text: string, { prefix, separator }: EntryForm): readonly string[] {
  const entries = separator === undefined ? [text] : text.split(separator, MAX_ENTRIES);
  return entries
    .map((entry) => (separator === undefined ? entry : entry.trim()))
    .filter((entry) => entry.startsWith(prefix))
    .map((entry) => entry.slice(prefix.length));
}
