// What an answer of FCM means. Pure: status, headers and body in, outcome out.
// Firebase: "FCM error codes" (reference/fcm/rest/v1/ErrorCode) and "Scale your FCM sends". The status and
// the FcmError in the details decide; the message never does, and a 404 without FcmError is about the
// project, not about the token.

import { z } from 'zod';
import type { Outcome, RetryCertainty } from '../../core/outcome.ts';
import type { HttpResponse } from '../http2/client.ts';
import { parseRetryAfter } from '../http2/retry-after.ts';

/** What to do about the reasons that do not depend on the device token. */
const REMEDIES: Readonly<Record<string, string>> = {
  UNAUTHENTICATED: 'Google refuses new access tokens: check the service account and its key.',
  PERMISSION_DENIED:
    'The account may not send: enable the Firebase Cloud Messaging API (V1) and grant cloudmessaging.messages.create.',
  NOT_FOUND: 'There is no such project: check the project id and the endpoint.',
  oauth_invalid_grant:
    'Google refuses the credential: check that the key was not deleted, and the clock of this machine.',
  oauth_invalid_client: 'Google does not know the client of this credential.',
  oauth_refused: 'Google’s token endpoint refuses the credential.',
  oauth_tls_untrusted: 'The certificate of the token endpoint is not trusted.',
  oauth_unavailable: 'Google’s token endpoint cannot be reached or is failing.',
  oauth_timeout: 'Google’s token endpoint does not answer in time.',
  oauth_no_credentials:
    'No usable Application Default Credentials: check the file that GOOGLE_APPLICATION_CREDENTIALS names, or run where Google’s metadata server answers.',
  credential_unusable: 'The credential cannot be read or cannot sign: check the file.',
};

export function fcmRemedyFor(reason: string): string | undefined {
  return Object.hasOwn(REMEDIES, reason) ? REMEDIES[reason] : undefined;
}

const success = z.object({ name: z.string() });
const detail = z
  .object({
    '@type': z.string(),
    errorCode: z.string().optional(),
    fieldViolations: z.array(z.object({ field: z.string() })).optional(),
    violations: z.array(z.record(z.string(), z.unknown())).optional(),
  })
  .catch({ '@type': '' });
type Detail = z.infer<typeof detail>;
const failure = z.object({ error: z.object({ details: z.array(detail).optional() }) });

const FCM_ERROR = 'type.googleapis.com/google.firebase.fcm.v1.FcmError';
const QUOTA_FAILURE = 'type.googleapis.com/google.rpc.QuotaFailure';
const TOKEN_FIELD = 'message.token';
/**
 * The resource name of a message. Only the message id in it is kept: it is what Google's delivery data calls
 * `message_id`, and the project is known.
 */
const MESSAGE_NAME = /^projects\/[^/\s]{1,100}\/messages\/([\w:%.-]{1,200})$/;

/** `wallMs` is the time against which a Retry-After date is read. */
export function readFcmAnswer(response: HttpResponse, wallMs: number): Outcome {
  const { status, body } = response;
  const json = parseJson(body);
  if (status === 200) return delivered(json);
  const details = failure.safeParse(json).data?.error.details ?? [];
  const code = details.find((entry) => entry['@type'] === FCM_ERROR)?.errorCode;
  switch (code) {
    case 'UNREGISTERED':
      if (status === 404) return { kind: 'unregistered', reason: code };
      break;
    case 'SENDER_ID_MISMATCH':
    // Firebase's own credentials for APNs or Web Push, which one kind of token meets and another does not.
    case 'THIRD_PARTY_AUTH_ERROR':
      return { kind: 'rejected', reason: code, blame: 'sender' };
    case 'INVALID_ARGUMENT':
      return invalidArgument(details);
    case 'QUOTA_EXCEEDED':
      return later({ reason: code, certainty: whoseQuota(details) }, response, wallMs);
    case 'UNAVAILABLE':
    case 'INTERNAL':
      return later({ reason: code, certainty: 'answered' }, response, wallMs);
    default:
    // UNSPECIFIED_ERROR, none, and what Google may add: the status decides.
  }
  const reason = `status_${status}`;
  switch (status) {
    case 400:
      return invalidArgument(details);
    case 401:
      return { kind: 'misconfigured', reason: 'UNAUTHENTICATED' };
    case 403:
      return { kind: 'misconfigured', reason: 'PERMISSION_DENIED' };
    case 404:
      return { kind: 'misconfigured', reason: 'NOT_FOUND' };
    case 408:
      return later({ reason, certainty: 'answered' }, response, wallMs);
    case 429:
      return later({ reason, certainty: whoseQuota(details) }, response, wallMs);
  }
  return status >= 400 && status < 500
    ? { kind: 'rejected', reason, blame: 'message' }
    : later({ reason, certainty: 'answered' }, response, wallMs);
}

/**
 * Ambiguous: Google says this about a malformed message and about a malformed token. For a token it names the field,
 * or, today, gives no detail but the FcmError (`malformed_token`); one relay's journal has a message that was too large
 * in that shape, so the core asks whether the token ever worked.
 */
function invalidArgument(details: readonly Detail[]): Outcome {
  const fields = details.flatMap((entry) => entry.fieldViolations ?? []);
  if (fields.some(({ field }) => field === TOKEN_FIELD)) {
    return { kind: 'rejected', reason: 'INVALID_ARGUMENT', blame: 'token' };
  }
  const isFcmErrorAlone =
    details.length > 0 &&
    details.every(
      (entry) => entry['@type'] === FCM_ERROR && entry.errorCode === 'INVALID_ARGUMENT',
    );
  return isFcmErrorAlone
    ? { kind: 'rejected', reason: 'malformed_token', blame: 'token' }
    : { kind: 'rejected', reason: 'INVALID_ARGUMENT', blame: 'message' };
}

/**
 * "FCM error codes", QUOTA_EXCEEDED: a QuotaFailure says whether it is the rate of the device, of the topic or
 * of the project. Google does not document the wording, so the words are looked for in all of its texts.
 */
function whoseQuota(details: readonly Detail[]): RetryCertainty {
  const text = details
    .filter((entry) => entry['@type'] === QUOTA_FAILURE)
    .flatMap((entry) => entry.violations ?? [])
    .flatMap((violation) => Object.values(violation))
    .filter((value) => typeof value === 'string')
    .join(' ');
  if (/device|topic|token/i.test(text)) return 'throttled_token';
  return /project|message.?rate|send.?requests/i.test(text) ? 'throttled_project' : 'throttled';
}

/** A 200 that does not name a message is no proof that FCM took one. */
function delivered(json: unknown): Outcome {
  const name = success.safeParse(json).data?.name;
  if (name === undefined) {
    return { kind: 'retry', reason: 'answer_unreadable', certainty: 'unanswered' };
  }
  const messageId = MESSAGE_NAME.exec(name)?.[1];
  return messageId === undefined ? { kind: 'delivered' } : { kind: 'delivered', messageId };
}

function later(
  { reason, certainty }: { readonly reason: string; readonly certainty: RetryCertainty },
  { headers }: HttpResponse,
  wallMs: number,
): Outcome {
  const retryAfterMs = parseRetryAfter(headers['retry-after'], wallMs);
  return { kind: 'retry', reason, certainty, retryAfterMs };
}

function parseJson(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    return undefined;
  }
}
