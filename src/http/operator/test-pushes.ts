// A test push and how it was delivered.

import { z } from 'zod';
import { STATUSES } from '../../core/delivery.ts';
import {
  type Addressee,
  pushTest,
  TEST_SOURCE,
  type TestPushResult,
} from '../../core/operating/test-push.ts';
import { HANDLE } from '../../core/ports/devices.ts';
import { createTarget, DEFAULT_APP, tokenFault } from '../../core/target.ts';
import { readBody } from '../body.ts';
import type { HttpContext } from '../context.ts';
import { badField, checkBody, parseJsonBody } from '../devices/device-body.ts';
import { reading } from '../handle.ts';
import { routeOf } from '../observed.ts';
import { json } from '../success.ts';
import { provider } from './answers.ts';
import type { OperatorParts } from './parts.ts';
import { appName, notificationType } from './query.ts';

const MAX_TOKEN_CHARACTERS = 4_096;
const MAX_REPLY_WAIT_MS = 60_000;
const DEFAULT_TYPE = 'payment_received';

const toToken = z.strictObject({
  token: z.string().max(MAX_TOKEN_CHARACTERS),
  platform: z.enum(['ios', 'android'], 'must be ios or android'),
  environment: z.enum(['production', 'sandbox'], 'must be production or sandbox').optional(),
  app_data: z.string().max(1_024, 'must have at most 1024 characters').optional(),
});
const toHandle = z.strictObject({ handle: z.string().regex(HANDLE, 'must be a handle') });
const toDevice = z.strictObject({ device_id: z.uuid('must be the id of a device') });

export const testPushBody = z.strictObject({
  to: z.union(
    [toToken, toHandle, toDevice],
    'must be {token, platform}, {handle} or {device_id}, and nothing else',
  ),
  /** For a token; a device has its own. */
  app: appName.optional(),
  type: notificationType.default(DEFAULT_TYPE),
  /** What the app gets as `notification_payload`; a sample of the type if absent. */
  payload: z.record(z.string(), z.unknown()).optional(),
  /** Waits for the phone’s reply, if the type asks for one. */
  reply_within_ms: z
    .int(`must be a whole number from 0 to ${MAX_REPLY_WAIT_MS}`)
    .min(0, `must be a whole number from 0 to ${MAX_REPLY_WAIT_MS}`)
    .max(MAX_REPLY_WAIT_MS, `must be a whole number from 0 to ${MAX_REPLY_WAIT_MS}`)
    .default(0),
});

export const testPushAnswer = z.strictObject({
  id: z.uuid(),
  status: z.enum([...STATUSES, 'under_way']),
  reason: z.string().optional(),
  app: z.string(),
  provider,
  type: z.string(),
  device_id: z.uuid().optional(),
  attempts: z.array(
    z.strictObject({
      number: z.int(),
      latency_ms: z.int(),
      outcome: z.string(),
      reason: z.string().optional(),
    }),
  ),
  /** False if the database could not take the row. */
  logged: z.boolean(),
  reply: z.strictObject({ after_ms: z.int(), bytes: z.int() }).optional(),
});

/** POST /api/v1/test-pushes: 200 with the outcome, delivered or not, unless it was refused before an attempt. */
export async function handleTestPush(
  { testPush }: OperatorParts,
  c: HttpContext,
): Promise<Response> {
  const body = checkBody(testPushBody, parseJsonBody(await readBody(c)));
  const { type, payload, reply_within_ms: replyWithinMs } = body;
  const to = addresseeOf(body);
  const result = await reading(() =>
    pushTest(testPush, {
      to,
      type,
      payload: payload && JSON.stringify(payload),
      replyWithinMs,
      origin: {
        door: routeOf(c),
        source: TEST_SOURCE,
        requestId: c.get('requestId'),
        isBroadcast: false,
      },
    }),
  );
  return json(c, describeResult(result, type));
}

function addresseeOf({ to, app }: z.output<typeof testPushBody>): Addressee {
  if ('token' in to) {
    const { token, platform, environment, app_data: appData } = to;
    const fault = tokenFault(platform, token);
    if (fault !== undefined) throw badField('to.token', fault);
    const target = createTarget({ app: app ?? DEFAULT_APP, platform, token, environment, appData });
    return { kind: 'target', target };
  }
  if (app !== undefined) throw badField('app', 'is known from the device');
  if ('handle' in to) return { kind: 'handle', handle: to.handle };
  return { kind: 'device', id: to.device_id.toLowerCase() };
}

function describeResult(result: TestPushResult, type: string): z.output<typeof testPushAnswer> {
  const { id, status, reason, app, provider, deviceId, attempts, isLogged, reply } = result;
  return {
    id,
    status,
    reason,
    app,
    provider,
    type,
    device_id: deviceId,
    attempts: attempts.map(({ number, latencyMs, outcome, reason: why }) => {
      return { number, latency_ms: latencyMs, outcome, reason: why };
    }),
    logged: isLogged,
    reply: reply && { after_ms: reply.afterMs, bytes: reply.bytes },
  };
}
