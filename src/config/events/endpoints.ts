// The endpoints of NDS_ENDPOINTS, or of the file that NDS_ENDPOINTS_FILE names. Faults name an entry by its number.

import { z } from 'zod';
import { enabledEventNames } from '../../core/events/catalogue.ts';
import type { ConfiguredEndpoint } from '../../core/events/details.ts';
import { isEmailAddress } from '../../core/events/email-address.ts';
import { MAX_ENDPOINTS } from '../../core/events/endpoints.ts';
import { faultOfSecret } from '../../core/events/signature.ts';
import { faultOfUrl } from '../../endpoints/address.ts';
import type { Config } from '../config.ts';
import { readNamedText } from '../files.ts';
import { parsePastedJson } from '../pasted-credentials.ts';

const shape = z
  .array(
    z.strictObject({
      name: z.string().regex(/^[a-z0-9_-]{1,32}$/, 'must be 1 to 32 of a-z, 0-9, `_` and `-`'),
      url: z
        .string()
        .superRefine((url, context) => {
          const fault = isEmailAddress(url) ? undefined : faultOfUrl(url);
          if (fault !== undefined) context.addIssue(fault);
        })
        .optional(),
      email: z.string().refine(isEmailAddress, 'must be an e-mail address').optional(),
      digest: z.enum(['hourly', 'daily'], 'must be hourly or daily').optional(),
      enabled_events: z
        .array(z.enum(enabledEventNames(), 'is no event and no group of events'))
        .min(1)
        .default(['*']),
      description: z.string().max(200).optional(),
      app: z.string().optional(),
      secret: z
        .string()
        .superRefine((secret, context) => {
          const fault = faultOfSecret(secret);
          if (fault !== undefined) context.addIssue(fault);
        })
        .optional(),
    }),
  )
  .max(MAX_ENDPOINTS)
  .refine(
    (list) => new Set(list.map(({ name }) => name)).size === list.length,
    'two endpoints have the same name',
  );

export function loadEndpoints(
  { endpoints: json, endpointsFile: path }: Partial<Config>,
  faults: string[],
  { apps, hasSmtp }: { readonly apps: readonly string[]; readonly hasSmtp: boolean },
): readonly ConfiguredEndpoint[] {
  const setting = json === undefined ? 'NDS_ENDPOINTS_FILE' : 'NDS_ENDPOINTS';
  if (json === undefined && path === undefined) return [];
  const file = { name: setting, path: path ?? '', forContent: 'use NDS_ENDPOINTS' };
  const text = json ?? readNamedText(file, faults);
  if (text === undefined) return [];
  const pathVariable = json === undefined ? setting : undefined;
  const read = parsePastedJson({ text, pathVariable });
  if ('fault' in read) {
    faults.push(`${setting} ${read.fault}`);
    return [];
  }
  const parsed = shape.safeParse(read.json);
  if (!parsed.success) {
    const words = parsed.error.issues.map(({ path: where, message }) => {
      return `${setting}: ${where.join('.') || 'the JSON'}: ${message}`;
    });
    faults.push(...words);
    return [];
  }
  for (const [index, entry] of parsed.data.entries()) {
    const { app } = entry;
    if (app !== undefined && apps.length > 0 && !apps.includes(app)) {
      faults.push(`${setting}: ${index}.app: there is no such app; there are: ${apps.join(', ')}`);
    }
    const wrong = faultsOfKind(entry, hasSmtp);
    faults.push(...wrong.map((fault) => `${setting}: ${index}.${fault}`));
  }
  return parsed.data.map(({ enabled_events: enabledEvents, email, url = '', ...rest }) => {
    return { ...rest, url: email ?? url, enabledEvents };
  });
}

/** An entry is either an https URL with a secret, or an e-mail address with a digest. */
function faultsOfKind(
  { url, email, digest, secret }: z.output<typeof shape>[number],
  hasSmtp: boolean,
): readonly string[] {
  if ((url === undefined) === (email === undefined)) return ['url: must be given, or `email`'];
  const isEmail = email !== undefined || isEmailAddress(url ?? '');
  if (!isEmail) {
    return [
      ...(secret === undefined ? ['secret: is missing'] : []),
      ...(digest === undefined ? [] : ['digest: is for an e-mail address only']),
    ];
  }
  return [
    ...(secret === undefined ? [] : ['secret: an e-mail endpoint has none']),
    ...(hasSmtp ? [] : ['email: needs NDS_SMTP_URL and NDS_SMTP_FROM']),
  ];
}
