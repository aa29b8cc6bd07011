// The faults that can be scripted, and which request gets which. A fault replaces
// the answer of a request that was otherwise in order: what the stand-in refuses by
// its own checks stays refused and uses up no fault. An outage comes before the rules.
import { z } from 'zod';
import { apnsStatus } from './apns/reasons.ts';
import { fcmErrorCodes, fcmQuotas } from './fcm/errors.ts';
import type { ProviderName } from './records.ts';

/** Rules held at once; a script that grows past it is a mistake in the test. */
const MAX_RULES = 100_000;
const MAX_DELAY_MS = 600_000;

const status = z.int().min(200).max(599);
const delayMs = z.int().min(0).max(MAX_DELAY_MS).optional();
const retryAfterSeconds = z.int().min(0).optional();
const answered = { delayMs, retryAfterSeconds };
/** HTTP/2 error code of RFC 9113 section 7. */
const code = z.int().min(0).max(0xff_ff_ff_ff).optional();
/** Whether the push counts as taken although the caller never hears of it. */
const accepted = z.boolean().optional();

export const faultSchema = z.discriminatedUnion('kind', [
  /** APNs: one of Apple's reasons with its status; any other reason needs a status. */
  z
    .strictObject({
      kind: z.literal('reason'),
      reason: z.string().min(1),
      status: status.optional(),
      /**
       * For 410: when the token was last found invalid, ms; default: the sandbox's now. A string is
       * written as it is, for numbers that JavaScript cannot hold, such as 9223372036854775807.
       */
      timestampMs: z.union([z.number(), z.string()]).optional(),
      ...answered,
    })
    .refine((fault) => fault.status !== undefined || apnsStatus(fault.reason) !== undefined, {
      message: 'a reason outside Apple’s table needs a status',
    }),
  /**
   * FCM: an error with FcmError details; `field` adds a BadRequest violation naming it, `quota` a
   * QuotaFailure, as Google does for a 429.
   */
  z.strictObject({
    kind: z.literal('fcm_error'),
    error: z.enum(fcmErrorCodes),
    status: status.optional(),
    field: z.string().optional(),
    quota: z.enum(fcmQuotas).optional(),
    ...answered,
  }),
  /** FCM: Google's error body without FcmError, as for a wrong project, credential or route. */
  z.strictObject({
    kind: z.literal('google_error'),
    status,
    message: z.string().optional(),
    ...answered,
  }),
  /** The token endpoint: `{"error":…}`, by default invalid_grant with 400. */
  z.strictObject({
    kind: z.literal('oauth_error'),
    error: z.string().optional(),
    status: status.optional(),
    ...answered,
  }),
  /** Taken at once, answered as usual but later. */
  z.strictObject({ kind: z.literal('delay'), delayMs: z.int().min(0).max(MAX_DELAY_MS) }),
  /** Never answered. */
  z.strictObject({ kind: z.literal('hang'), accepted }),
  /** RST_STREAM with `code` (default CANCEL, 8), or the TCP connection reset. */
  z.strictObject({
    kind: z.literal('reset'),
    scope: z.enum(['stream', 'connection']).optional(),
    code,
    accepted,
    delayMs,
  }),
  /** RST_STREAM(REFUSED_STREAM): certainly not processed. */
  z.strictObject({ kind: z.literal('refused_stream') }),
  /**
   * GOAWAY on this connection. `processed` (default true): the stream is still answered;
   * false: it lies above the last stream id and is refused.
   */
  z.strictObject({
    kind: z.literal('goaway'),
    processed: z.boolean().optional(),
    code,
    reason: z.string().optional(),
  }),
  /** A body cut off in the middle of its JSON; default status 200. */
  z.strictObject({ kind: z.literal('bad_json'), status: status.optional(), ...answered }),
  /** The HTML page of a load balancer; default status 502. */
  z.strictObject({ kind: z.literal('html'), status: status.optional(), ...answered }),
  /** No body at all; default status 503. */
  z.strictObject({ kind: z.literal('empty'), status: status.optional(), ...answered }),
]);

export type Fault = Readonly<z.infer<typeof faultSchema>>;

/** `oauth` is Google's token endpoint; a rule without provider never touches it. */
export type FaultTarget = 'apns' | 'fcm' | 'oauth';

export const faultRuleSchema = z.strictObject({
  /** Absent: whichever provider the fault fits. */
  provider: z.enum(['apns', 'fcm', 'oauth']).optional(),
  /** Absent: any token. Rules for a token come before those for any. */
  token: z.string().optional(),
  /** How many requests get it, then normal again; default 1, Infinity for ever. */
  times: z.union([z.int().min(1), z.literal(Infinity)]).optional(),
  /**
   * Which share of the requests gets it, evenly spread: 0.25 is every fourth one, from the fourth
   * on. Default all of them.
   */
  share: z.number().gt(0).max(1).optional(),
  fault: faultSchema,
});

export type FaultRule = Readonly<z.infer<typeof faultRuleSchema>>;

interface ActiveRule {
  readonly targets: readonly FaultTarget[];
  readonly fault: Fault;
  readonly share: number;
  left: number;
  /** Grows by `share` with every request; a whole one is a request that gets the fault. */
  due: number;
}

export interface FaultScript {
  /** @throws when the rule is malformed or its fault cannot come from its provider. */
  add(rule: FaultRule): void;
  /** The fault for this request, used up by one; undefined: answer as usual. */
  take(target: FaultTarget, token: string | undefined): Fault | undefined;
  /** Every push of a provider gets this fault, until `undefined` ends it. No rule is used up meanwhile. */
  setOutage(provider: ProviderName, fault: Fault | undefined): void;
  /** Forgets the rules; an outage goes on. */
  clear(): void;
}

/** `0.1 + 0.2` is a little more than 0.3: without this, ten tenths could be less than one. */
const ROUNDING = 1e-9;

export function createFaultScript(): FaultScript {
  const byToken = new Map<string | undefined, ActiveRule[]>();
  const outages = new Map<FaultTarget, Fault>();
  let held = 0;

  function takeFrom(token: string | undefined, target: FaultTarget): Fault | undefined {
    const rules = byToken.get(token);
    const rule = rules?.find((candidate) => candidate.targets.includes(target) && isDue(candidate));
    if (rules === undefined || rule === undefined) return undefined;
    rule.left -= 1;
    if (rule.left <= 0) {
      rules.splice(rules.indexOf(rule), 1);
      held -= 1;
      if (rules.length === 0) byToken.delete(token);
    }
    return rule.fault;
  }

  return {
    add(rule) {
      const { provider, token, times = 1, share = 1, fault } = faultRuleSchema.parse(rule);
      const possible = targetsOf(fault);
      if (provider !== undefined && !possible.includes(provider)) {
        throw new Error(`a fault of kind ${fault.kind} cannot come from ${provider}`);
      }
      if (held >= MAX_RULES) throw new Error(`more than ${MAX_RULES} fault rules`);
      const targets = provider === undefined ? possible.filter(isPushTarget(fault)) : [provider];
      const rules = byToken.get(token) ?? [];
      rules.push({ targets, fault, share, left: times, due: 0 });
      byToken.set(token, rules);
      held += 1;
    },
    take(target, token) {
      const outage = outages.get(target);
      if (outage !== undefined) return outage;
      if (held === 0) return undefined;
      const specific = token === undefined ? undefined : takeFrom(token, target);
      return specific ?? takeFrom(undefined, target);
    },
    setOutage(provider, fault) {
      if (fault === undefined) outages.delete(provider);
      else outages.set(provider, fault);
    },
    clear() {
      byToken.clear();
      held = 0;
    },
  };
}

function isDue(rule: ActiveRule): boolean {
  rule.due += rule.share;
  if (rule.due < 1 - ROUNDING) return false;
  rule.due -= 1;
  return true;
}

function targetsOf(fault: Fault): readonly FaultTarget[] {
  switch (fault.kind) {
    case 'reason':
      return ['apns'];
    case 'fcm_error':
    case 'google_error':
      return ['fcm'];
    case 'oauth_error':
      return ['oauth'];
    default:
      return ['apns', 'fcm', 'oauth'];
  }
}

function isPushTarget(fault: Fault): (target: FaultTarget) => boolean {
  return (target) => target !== 'oauth' || fault.kind === 'oauth_error';
}
