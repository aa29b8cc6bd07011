// The bodies of the registry's routes: the fields of a device, all bounds, and a fault for each wrong field.

import { z } from 'zod';
import type { DeviceChanges } from '../../core/devices/registry.ts';
import { ServiceError } from '../../core/errors.ts';
import type { Fault } from '../../core/fault.ts';
import { DEVICE_BOUNDS, type DeviceDetails } from '../../core/ports/devices.ts';
import {
  createTarget,
  MAX_APP_NAME_CHARACTERS,
  type Platform,
  tokenFault,
} from '../../core/target.ts';
import { withoutUndefined } from '../../core/without-undefined.ts';

const BOUNDS = DEVICE_BOUNDS;
const MAX_FIELD_CHARACTERS = 100;

function bounded(max: number) {
  return z
    .string('must be a string')
    .max(max, `must have at most ${max} characters`)
    .refine((value) => value.isWellFormed(), 'must be valid text');
}

const filled = (max: number) => bounded(max).min(1, 'must not be empty');
const locale = filled(BOUNDS.localeCharacters).refine(
  isLocale,
  'must be a BCP 47 tag such as de-CH',
);
const nodeIds = z
  .array(
    z
      .string()
      .regex(/^0[23][0-9a-fA-F]{64}$/, 'must be a compressed public key: 66 hex digits')
      .transform((value) => value.toLowerCase()),
  )
  .max(BOUNDS.nodeIds, `must have at most ${BOUNDS.nodeIds} entries`);
const token = filled(4_096);

const BY_SOURCE = 'By the name of a source; several are valid during a rotation.';
const shape = {
  user: filled(BOUNDS.userCharacters)
    .optional()
    .meta({ description: 'Whose device it is, such as the wallet’s public key.' }),
  app_data: bounded(BOUNDS.appDataCharacters)
    .optional()
    .meta({ description: 'Handed to the app with every push.' }),
  environment: z
    .enum(['production', 'sandbox'], 'must be production or sandbox')
    .optional()
    .meta({ description: 'Which of APNs’ environments issued the token.' }),
  locale: locale.optional().meta({ description: 'BCP 47, such as de-CH: chooses the title.' }),
  lsp_node_ids: nodeIds.optional().meta({ description: 'LSPs that may wake it by bLIP-55.' }),
};

/**
 * `sources` are the names of the doors that check a signature by a secret of the device, `faultOf` says
 * what is wrong with a secret that could never match.
 */
export function createDeviceBodies(
  sources: readonly string[],
  faultOf: (source: string, secret: string) => string | undefined,
) {
  const one = filled(BOUNDS.secretCharacters);
  const some = z
    .array(one)
    .max(BOUNDS.secretsPerSource, `must have at most ${BOUNDS.secretsPerSource} entries`);
  const secrets = z
    .partialRecord(z.enum(sources), some)
    .superRefine((lists, context) => {
      for (const [source, list] of Object.entries(lists)) {
        const faults = (list ?? []).map((secret) => faultOf(source, secret));
        for (const [index, message] of faults.entries()) {
          if (message !== undefined)
            context.addIssue({ code: 'custom', path: [source, index], message });
        }
      }
    })
    .meta({ description: BY_SOURCE });
  const registration = z.strictObject({
    app: filled(MAX_APP_NAME_CHARACTERS).optional(),
    platform: z.enum(['ios', 'android'], 'must be ios or android'),
    token,
    secrets: secrets.optional(),
    ...shape,
  });
  const changes = z.strictObject({
    token: token.optional(),
    secrets: secrets.optional(),
    ...shape,
  });
  const rotation = z.strictObject({ token });
  return {
    /** For the description of the API. */
    schemas: { registration, changes, rotation },
    /** `app` is the default for a body that names none. */
    parseRegistration: (body: unknown, app: string): DeviceDetails => {
      const parsed = checkBody(registration, body);
      checkToken(parsed.platform, parsed.token);
      const { platform, user, locale } = parsed;
      return {
        target: createTarget({
          app: parsed.app ?? app,
          platform,
          token: parsed.token,
          appData: parsed.app_data,
          environment: parsed.environment,
        }),
        ...withoutUndefined({ user, locale }),
        nodeIds: parsed.lsp_node_ids ?? [],
        secrets: withoutUndefined(parsed.secrets ?? {}),
      };
    },
    parseToken: (body: unknown): DeviceChanges => checkBody(rotation, body),
    parseChanges: (body: unknown): DeviceChanges => {
      const parsed = checkBody(changes, body);
      const { token, user, locale, environment, secrets } = parsed;
      return {
        ...withoutUndefined({ token, appData: parsed.app_data, user, locale }),
        ...withoutUndefined({
          nodeIds: parsed.lsp_node_ids,
          secrets: secrets && withoutUndefined(secrets),
        }),
        environment,
      };
    },
  };
}

export type DeviceBodies = ReturnType<typeof createDeviceBodies>;

/** Throws `bad_body` unless the token is one of the platform's. */
export function checkToken(platform: Platform, value: string): void {
  const fault = tokenFault(platform, value);
  if (fault !== undefined) throw badField('token', fault);
}

export function parseJsonBody(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes));
  } catch {
    // The parser's message would quote the body.
    throw badField('body', 'must be JSON in UTF-8');
  }
}

/** Throws `bad_body` with every fault. */
export function checkBody<Output>(schema: z.ZodType<Output>, body: unknown): Output {
  const parsed = schema.safeParse(body);
  if (parsed.success) return parsed.data;
  throw badBody(parsed.error.issues.flatMap(toFaults));
}

export function toFaults(issue: z.core.$ZodIssue): readonly Fault[] {
  const path = issue.path.map(String).join('.').slice(0, MAX_FIELD_CHARACTERS);
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => {
      const field = path === '' ? key : `${path}.${key}`;
      return { field: field.slice(0, MAX_FIELD_CHARACTERS), message: 'is not a known field' };
    });
  }
  if (issue.code === 'invalid_key')
    return [{ field: path, message: 'is not the name of a source' }];
  if (issue.code === 'invalid_type')
    return [{ field: path || 'body', message: `must be ${issue.expected}` }];
  return [{ field: path || 'body', message: issue.message }];
}

/** For a body with a single fault. */
export function badField(field: string, message: string): ServiceError {
  return badBody([{ field, message }]);
}

function badBody(faults: readonly Fault[]): ServiceError {
  return new ServiceError('bad_body', { faults });
}

function isLocale(value: string): boolean {
  try {
    return Intl.getCanonicalLocales(value).length === 1;
  } catch {
    return false;
  }
}
