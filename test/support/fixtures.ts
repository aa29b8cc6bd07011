// The fixtures of the webhook formats: a call as its sender writes it, and what must result from it.

import { readdirSync, readFileSync } from 'node:fs';
import { z } from 'zod';

const FOLDER = new URL('../fixtures/', import.meta.url);

const call = z.object({
  method: z.string(),
  path: z.string(),
  headers: z.record(z.string(), z.string()),
  body: z.string(),
});
const expectation = z.object({
  status: z.number(),
  accept_status: z.array(z.number()).optional(),
  push: z.boolean(),
  platform: z.string().optional(),
  token: z.string().optional(),
  app_data: z.string().nullish(),
  notification_type: z.string().nullable(),
  notification_payload: z.string().nullable(),
  notification_payload_plain: z.string().nullish(),
  title: z.string().nullable(),
});
const device = z.object({
  platform: z.string(),
  token: z.string(),
  lsp_node_id: z.string().optional(),
});
const given = z.object({
  registrations: z.record(z.string(), device).default({}),
  devices_by_user_pubkey: z.record(z.string(), z.array(device)).default({}),
  keys: z.object({ lsp_node_id: z.string() }).optional(),
  secrets: z
    .object({
      hmac_key_utf8: z.string().optional(),
      secrets: z.array(z.string()).default([]),
      ed25519_public: z.string().optional(),
    })
    .optional(),
});
const deviceReply = call.extend({ expect: z.object({ status: z.number(), body: z.string() }) });
const fixtureSchema = z.object({
  name: z.string(),
  source: z.string(),
  case: z.string(),
  kind: z.enum(['valid', 'ignored', 'invalid']),
  about: z.string(),
  now_unix_ms: z.number(),
  setup: given,
  request: call,
  body_sha256: z.string(),
  expect: expectation,
  // biome-ignore lint/suspicious/noThenProperty: the fixtures' own name for what follows
  then: z.array(z.object({ after_ms: z.number(), request: call, expect: expectation })).default([]),
  device_reply: deviceReply.nullish(),
  caller_response: z
    .object({
      status: z.number(),
      content_type: z.string().optional(),
      body: z.string().optional(),
    })
    .optional(),
  second_reply: z
    .object({
      expect: z.object({ status: z.number(), accept_status: z.array(z.number()).default([]) }),
    })
    .optional(),
});
export type Fixture = z.output<typeof fixtureSchema>;
export type FixtureCall = z.output<typeof call>;
export type Expectation = z.output<typeof expectation>;

/** The fixtures of these sources. */
export function loadFixtures(sources: readonly string[]): readonly Fixture[] {
  return readdirSync(FOLDER)
    .filter((file) => file.endsWith('.json'))
    .map((file) => parseFixture(readFileSync(new URL(file, FOLDER), 'utf8')))
    .filter((fixture) => sources.includes(fixture.source));
}

/** Every source that has fixtures. */
export function allSources(): readonly string[] {
  const files = readdirSync(FOLDER).filter((file) => file.endsWith('.json'));
  return [...new Set(files.map((file) => file.split('.')[0] ?? ''))];
}

export function parseFixture(text: string): Fixture {
  return fixtureSchema.parse(JSON.parse(text));
}

/** The secrets with which calls of a fixture may be signed. */
export function secretsOf({ setup: { secrets } }: Fixture): readonly string[] {
  if (secrets === undefined) return [];
  const { hmac_key_utf8: hmac, secrets: list, ed25519_public: ed25519 } = secrets;
  return [hmac, ...list, ed25519].filter((secret) => secret !== undefined);
}
