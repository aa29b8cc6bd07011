// The settings of an app besides its credentials: the types it knows, the format of its pushes, titles, lifetimes and
// limits.

import { z } from 'zod';
import { TYPE_NAME } from '../core/notification.ts';
import { DEFAULT_FORMAT } from '../core/push-format.ts';
import { title } from './titles.ts';
import { lifetime, rate } from './values.ts';

const MAX_TYPES = 1_000;
const type = z.string().regex(TYPE_NAME, 'must be the name of a type');

const RESERVED_WORDS = 'is reserved by Apple, Google or this service';
/**
 * FCM refuses `from`, `message_type` and whatever begins with `google` or `gcm` ("REST Resource: projects.messages");
 * APNs reads `aps` itself.
 */
const RESERVED = /^(from|message_type|notification|aps|google.*|gcm.*)$/i;
const anyKeyName = z
  .string()
  .regex(/^[A-Za-z][A-Za-z0-9_.-]{0,63}$/, 'must be a name of letters, digits, `_`, `.` and `-`')
  .refine((name) => !RESERVED.test(name), RESERVED_WORDS);
/** Only the receipt may use its own name. */
const keyName = anyKeyName.refine((name) => !/^nds$/i.test(name), RESERVED_WORDS);

const { keys: names } = DEFAULT_FORMAT;
const keys = z
  .strictObject({
    type: keyName.default(names.type),
    payload: keyName.default(names.payload),
    app_data: keyName.default(names.appData),
    receipt: anyKeyName.default(names.receipt),
  })
  .refine(
    (given) => new Set(Object.values(given)).size === Object.keys(given).length,
    'must be different names',
  )
  .transform(({ app_data: appData, ...others }) => ({ ...others, appData }));

export const APP_SETTINGS_SHAPE = {
  types: z.array(type).min(1).max(MAX_TYPES).optional(),
  titles: z.record(type, title).optional(),
  lifetimes: z.record(type, lifetime).optional(),
  priorities: z.record(type, z.enum(['high', 'normal'], 'must be high or normal')).optional(),
  keys: keys.optional(),
  analytics_label: z.boolean('must be true or false').optional(),
  /** Whether its pushes carry a receipt address (docs/wallet/receipts.md). */
  receipts: z.boolean('must be true or false').optional(),
  /** Whether a phone that sends no receipt in its usual time gets a second push. */
  second_knock: z.boolean('must be true or false').optional(),
  token_rate: rate.optional(),
  token_form: z.boolean('must be true or false').optional(),
};

const shape = z.strictObject(APP_SETTINGS_SHAPE);

/** Every field may be absent: the service's own setting then applies. */
export type AppSettings = z.output<typeof shape>;
