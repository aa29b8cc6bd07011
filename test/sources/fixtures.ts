// The webhook fixtures of the signed sources, checked on reading.

import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { z } from 'zod';

const FOLDER = resolve(import.meta.dirname, '../fixtures');

const request = z.object({
  method: z.string(),
  path: z.string(),
  headers: z.record(z.string(), z.string()),
  body: z.string(),
});
const expectation = z.object({
  status: z.number(),
  accept_status: z.array(z.number()).optional(),
  push: z.boolean(),
  notification_type: z.string().nullable(),
  notification_payload: z.string().nullable(),
  notification_payload_plain: z.string().optional(),
  title: z.string().nullable(),
});
const registration = z.object({ lsp_node_id: z.string().optional() });
const fixture = z.object({
  source: z.string(),
  case: z.string(),
  kind: z.enum(['valid', 'ignored', 'invalid']),
  about: z.string(),
  now_unix_ms: z.number(),
  setup: z.object({
    registrations: z.record(z.string(), registration).optional(),
    devices_by_user_pubkey: z.record(z.string(), z.unknown()).optional(),
    secrets: z
      .object({
        hmac_key_utf8: z.string().optional(),
        secrets: z.array(z.string()).optional(),
        ed25519_public: z.string().optional(),
      })
      .optional(),
  }),
  request,
  expect: expectation,
  // biome-ignore lint/suspicious/noThenProperty: the fixtures' own word for what comes after.
  then: z.array(z.object({ after_ms: z.number(), request, expect: expectation })).default([]),
});

export type Fixture = z.output<typeof fixture>;

export function readFixtures(source: string): readonly Fixture[] {
  return readdirSync(FOLDER)
    .filter((file) => file.startsWith(`${source}.`))
    .map((file) => fixture.parse(JSON.parse(readFileSync(join(FOLDER, file), 'utf8'))));
}
