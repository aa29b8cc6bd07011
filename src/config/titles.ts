// Titles as the vendor writes them in JSON: one text, texts by language, or the key of a text in the app.

import { z } from 'zod';
import { type Title, TYPE_NAME } from '../core/notification.ts';

const MAX_TITLE_CHARACTERS = 200;
const text = z.string().min(1).max(MAX_TITLE_CHARACTERS);
const byLanguage = z.record(z.string().refine(isLanguage), text);
const locKey = z.strictObject({ loc_key: text });

const FORM =
  'must be a text, texts by language such as {"en": "Incoming payment", "de": "Zahlung kommt an"}, or {"loc_key": "…"}';

/** The allowed forms of a title. */
export const title = z.unknown().transform((value, context): Title => {
  const plain = text.safeParse(value);
  if (plain.success) return plain.data;
  const key = locKey.safeParse(value);
  if (key.success) return { locKey: key.data.loc_key };
  const texts = byLanguage.safeParse(value);
  if (texts.success && Object.keys(texts.data).length > 0) {
    const entries = Object.entries(texts.data);
    return { byLanguage: new Map(entries.map(([tag, words]) => [tag.toLowerCase(), words])) };
  }
  context.addIssue(FORM);
  return z.NEVER;
});

const record = z.record(z.string().regex(TYPE_NAME), title);

/** NDS_TITLES: a JSON object of titles by type. */
export const titles = z.string().transform((value, context) => {
  try {
    const parsed = record.safeParse(JSON.parse(value));
    if (parsed.success) return parsed.data;
  } catch {}
  context.addIssue('must be a JSON object such as {"payment_received":"Zahlung kommt an"}');
  return z.NEVER;
});

function isLanguage(tag: string): boolean {
  try {
    return Intl.getCanonicalLocales(tag).length === 1;
  } catch {
    return false;
  }
}
