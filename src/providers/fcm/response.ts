// What an answer of FCM means. Pure: status, headers and body in, outcome out.
// Firebase: "FCM error codes" (reference/fcm/rest/v1/ErrorCode) and "Scale your FCM sends". The status and
// the FcmError in the details decide; the message never does, and a 404 without FcmError is about the
// project, not about the token.

import { z } from 'zod';
import type { Outcome } from '../../core/outcome.ts';
import type { Answer, AnswerHeaders } from '../transport/exchange.ts';
import { parseRetryAfter } from '../transport/retry-after.ts';

/** What to do about the reasons that need somebody to act. */
const REMEDIES: Readonly<Record<string, string>> = {
  THIRD_PARTY_AUTH_ERROR:
    'Firebase cannot push to iOS: upload a valid APNs key in the project’s Cloud Messaging settings.',
  UNAUTHENTICATED: 'Google refuses fresh access tokens: check the service account and its key.',
  PERMISSION_DENIED:
    'The account may not send: enable the Firebase Cloud Messaging API (V1) and grant cloudmessaging.messages.create.',
  NOT_FOUND: 'There is no such project: check the project id and the endpoint.',
  oauth_invalid_grant:
    'Google refuses the credential: check that the key was not deleted, and this machine’s clock.',
  oauth_invalid_client: 'Google does not know the client of this credential.',
  oauth_refused: 'Google’s token endpoint refuses the credential.',
  oauth_tls_untrusted: 'The token endpoint’s certificate is not trusted.',
  oauth_unavailable: 'Google’s token endpoint cannot be reached or is failing.',
  oauth_timeout: 'Google’s token endpoint does not answer in time.',
  credential_unusable: 'The credential cannot be read or cannot sign: check the file.',
};

export function explainFcmReason(reason: string): string {
  const remedy = Object.hasOwn(REMEDIES, reason) ? REMEDIES[reason] : undefined;
  return remedy ?? 'FCM refuses our requests: check project and service account.';
}

const success = z.object({ name: z.string() });
const detail = z
  .object({
    '@type': z.string(),
    errorCode: z.string().optional(),
    fieldViolations: z.array(z.object({ field: z.string() })).optional(),
  })
  .catch({ '@type': '' });
const failure = z.object({ error: z.object({ details: z.array(detail).optional() }) });

const FCM_ERROR = 'type.googleapis.com/google.firebase.fcm.v1.FcmError';
const TOKEN_FIELD = 'message.token';
/** The resource name of a message: project and message id. */
const MESSAGE_NAME = /^projects\/[^/\s]{1,100}\/messages\/[\w:%.-]{1,200}$/;

/** `wallMs` is the time against which a Retry-After date is read. */
export function readFcmAnswer({ status, headers, body }: Answer, wallMs: number): Outcome {
  const json = parseJson(body);
  if (status === 200) return delivered(json);
  const details = failure.safeParse(json).data?.error.details ?? [];
  const code = details.find((entry) => entry['@type'] === FCM_ERROR)?.errorCode;
  switch (code) {
    case 'UNREGISTERED':
      if (status === 404) return { kind: 'unregistered', reason: code };
      break;
    case 'SENDER_ID_MISMATCH':
      return { kind: 'rejected', reason: code, blame: 'sender' };
    case 'INVALID_ARGUMENT':
      return invalidArgument(details);
    case 'THIRD_PARTY_AUTH_ERROR':
      return { kind: 'misconfigured', reason: code };
    case 'QUOTA_EXCEEDED':
    case 'UNAVAILABLE':
    case 'INTERNAL':
      return later(code, headers, wallMs);
    default:
    // UNSPECIFIED_ERROR, none, and what Google may add: the status decides.
  }
  return status === 400 ? invalidArgument(details) : byStatus(status, headers, wallMs);
}

/** Ambiguous by itself: Google says it of a malformed message and of a malformed token alike. */
function invalidArgument(details: readonly z.infer<typeof detail>[]): Outcome {
  const namesToken = details
    .flatMap((entry) => entry.fieldViolations ?? [])
    .some(({ field }) => field === TOKEN_FIELD);
  return {
    kind: 'rejected',
    reason: 'INVALID_ARGUMENT',
    blame: namesToken ? 'token' : 'message',
  };
}

function byStatus(status: number, headers: AnswerHeaders, wallMs: number): Outcome {
  switch (status) {
    case 401:
      return { kind: 'misconfigured', reason: 'UNAUTHENTICATED' };
    case 403:
      return { kind: 'misconfigured', reason: 'PERMISSION_DENIED' };
    case 404:
      return { kind: 'misconfigured', reason: 'NOT_FOUND' };
  }
  const reason = `status_${status}`;
  if (status === 408 || status === 429) return later(reason, headers, wallMs);
  if (status >= 400 && status < 500) return { kind: 'rejected', reason, blame: 'message' };
  return later(reason, headers, wallMs);
}

/** A 200 that does not name a message is no proof that FCM took one. */
function delivered(json: unknown): Outcome {
  const name = success.safeParse(json).data?.name;
  if (name === undefined) {
    return { kind: 'retry', reason: 'answer_unreadable', certainty: 'uncertain' };
  }
  return MESSAGE_NAME.test(name) ? { kind: 'delivered', messageId: name } : { kind: 'delivered' };
}

function later(reason: string, headers: AnswerHeaders, wallMs: number): Outcome {
  const retryAfterMs = parseRetryAfter(headers['retry-after'], wallMs);
  return {
    kind: 'retry',
    reason,
    certainty: 'answered',
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
  };
}

function parseJson(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    return undefined;
  }
}
