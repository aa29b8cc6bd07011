// Google's error bodies: the AIP-193 envelope, with FcmError details if FCM itself answers, and without them if the
// front end does (a wrong project, credential or route). Firebase: "FCM error codes"
// (firebase.google.com/docs/reference/fcm/rest/v1/ErrorCode).

export const fcmErrorCodes = [
  'UNSPECIFIED_ERROR',
  'INVALID_ARGUMENT',
  'UNREGISTERED',
  'SENDER_ID_MISMATCH',
  'QUOTA_EXCEEDED',
  'UNAVAILABLE',
  'INTERNAL',
  'THIRD_PARTY_AUTH_ERROR',
] as const;

export type FcmErrorCode = (typeof fcmErrorCodes)[number];

/** The HTTP status and text that come with each code. */
const known: Readonly<Record<FcmErrorCode, { readonly status: number; readonly message: string }>> =
  {
    UNSPECIFIED_ERROR: { status: 500, message: 'Unknown error.' },
    INVALID_ARGUMENT: {
      status: 400,
      message: 'The registration token is not a valid FCM registration token',
    },
    UNREGISTERED: { status: 404, message: 'Requested entity was not found.' },
    SENDER_ID_MISMATCH: { status: 403, message: 'SenderId mismatch' },
    QUOTA_EXCEEDED: { status: 429, message: 'Resource has been exhausted (e.g. check quota).' },
    UNAVAILABLE: { status: 503, message: 'The service is currently unavailable.' },
    INTERNAL: { status: 500, message: 'Internal error encountered.' },
    THIRD_PARTY_AUTH_ERROR: { status: 401, message: 'Auth error from APNS or Web Push Service' },
  };

/** google.rpc.Code by HTTP status. */
const canonical: ReadonlyMap<number, { readonly status: string; readonly message: string }> =
  new Map([
    [400, { status: 'INVALID_ARGUMENT', message: 'Request contains an invalid argument.' }],
    [
      401,
      {
        status: 'UNAUTHENTICATED',
        message:
          'Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or other valid authentication credential.',
      },
    ],
    [403, { status: 'PERMISSION_DENIED', message: 'The caller does not have permission' }],
    [404, { status: 'NOT_FOUND', message: 'Requested entity was not found.' }],
    [429, { status: 'RESOURCE_EXHAUSTED', message: 'Quota exceeded for quota metric.' }],
    [500, { status: 'INTERNAL', message: 'Internal error encountered.' }],
    [503, { status: 'UNAVAILABLE', message: 'The service is currently unavailable.' }],
    [504, { status: 'DEADLINE_EXCEEDED', message: 'Deadline expired.' }],
  ]);

export interface FieldViolation {
  /** Path such as `message.data[0].key`. */
  readonly field: string;
  readonly description: string;
}

/** Whose quota a 429 names: that of a device, of a topic, or of the whole project. */
export const fcmQuotas = ['device', 'topic', 'project'] as const;

export type FcmQuota = (typeof fcmQuotas)[number];

/**
 * Google documents that a 429 carries google.rpc.QuotaFailure and which quotas there are, but not
 * the texts of a violation. The subjects have the form of `google/rpc/error_details.proto`, the
 * descriptions are those of the list under QUOTA_EXCEEDED.
 */
const quotaViolations: Readonly<Record<FcmQuota, object>> = {
  device: { subject: 'device:sandbox', description: 'Device message rate exceeded' },
  topic: { subject: 'topic:sandbox', description: 'Topic message rate exceeded' },
  project: { subject: 'project:nds-sandbox', description: 'Message rate exceeded' },
};

export function fcmErrorStatus(errorCode: FcmErrorCode): number {
  return known[errorCode].status;
}

export interface FcmErrorParts {
  readonly status: number;
  readonly violation?: FieldViolation | undefined;
  readonly quota?: FcmQuota | undefined;
}

/** An error of FCM itself: FcmError details, and the violated field or quota where there is one. */
export function fcmErrorBody(
  errorCode: FcmErrorCode,
  { status, violation, quota }: FcmErrorParts,
): string {
  const details: object[] = [
    { '@type': 'type.googleapis.com/google.firebase.fcm.v1.FcmError', errorCode },
  ];
  if (violation !== undefined) details.push(badRequest(violation));
  if (quota !== undefined) {
    const violations = [quotaViolations[quota]];
    details.push({ '@type': 'type.googleapis.com/google.rpc.QuotaFailure', violations });
  }
  return googleBody({
    code: status,
    message: violation?.description ?? known[errorCode].message,
    status: canonical.get(status)?.status ?? 'UNKNOWN',
    details,
  });
}

/** An error of Google's front end: no FcmError; a violated field only for malformed JSON. */
export function googleErrorBody(
  status: number,
  { message, violation }: { message?: string | undefined; violation?: FieldViolation } = {},
): string {
  const name = canonical.get(status);
  return googleBody({
    code: status,
    message: violation?.description ?? message ?? name?.message ?? 'Unknown error.',
    status: name?.status ?? 'UNKNOWN',
    ...(violation === undefined ? {} : { details: [badRequest(violation)] }),
  });
}

function badRequest(violation: FieldViolation): object {
  return { '@type': 'type.googleapis.com/google.rpc.BadRequest', fieldViolations: [violation] };
}

function googleBody(error: {
  readonly code: number;
  readonly message: string;
  readonly status: string;
  readonly details?: readonly object[];
}): string {
  return JSON.stringify({ error });
}
