// Every public error: code, status, title and what to do. docs/errors.md is proven equal to this table.

interface ErrorKind {
  readonly status: number;
  readonly title: string;
  /** What the caller or the vendor's engineer does next; docs/errors.md shows it. */
  readonly remedy: string;
}

export const ERRORS = {
  bad_query: {
    status: 400,
    title: 'The query is not valid',
    remedy: 'Mend the query parameters that `errors` names.',
  },
  bad_body: {
    status: 400,
    title: 'The body is not valid',
    remedy: 'Send one of the documented JSON bodies; `errors` names each fault.',
  },
  bad_request: {
    status: 400,
    title: 'The request is not valid HTTP for this service',
    remedy: 'Mend the request line, the headers or the transfer.',
  },
  bad_signature: {
    status: 401,
    title: 'The signature is missing or wrong',
    remedy:
      'Sign the raw body with the secret or key that was registered for this URL, in the header of this source.',
  },
  stale_timestamp: {
    status: 401,
    title: 'The signed time is missing, malformed or too far from now',
    remedy: 'Check the caller’s clock, and send the call when it is signed.',
  },
  unauthorized: {
    status: 401,
    title: 'The bearer token is missing or wrong',
    remedy: 'Send `Authorization: Bearer` with a token that may do this.',
  },
  unknown_handle: {
    status: 404,
    title: 'There is no such handle at this door',
    remedy: 'The wallet has to register again, or use the URL that was made for this door.',
  },
  unknown_user: {
    status: 404,
    title: 'This user has no device',
    remedy: 'The wallet has to register with this user, or the call names another one.',
  },
  unknown_device: {
    status: 404,
    title: 'There is no such device',
    remedy: 'Look the device up by its user, or register it again.',
  },
  unknown_source: {
    status: 404,
    title: 'There is no such source',
    remedy: 'Use the name of a source that the service knows; docs/sources lists them.',
  },
  not_found: {
    status: 404,
    title: 'There is nothing at this address',
    remedy: 'Check the path; the doors are listed in the README.',
  },
  unknown_app: {
    status: 404,
    title: 'There is no such app',
    remedy: 'Use the name of a configured app in `app`, or leave it out for `default`.',
  },
  method_not_allowed: {
    status: 405,
    title: 'This address does not take that method',
    remedy: 'Use the method that the `Allow` header names.',
  },
  too_many_devices: {
    status: 409,
    title: 'There are too many devices',
    remedy: 'Delete devices that are not used any more, or raise the limit that `detail` names.',
  },
  device_exists: {
    status: 409,
    title: 'Another device has this app, token, user and app_data',
    remedy: 'Delete one of the two, or change what tells them apart.',
  },
  token_unregistered: {
    status: 410,
    title: 'The push token is dead',
    remedy:
      'The app was removed or its token changed. The wallet has to register its new token; do not repeat the call.',
  },
  push_too_large: {
    status: 413,
    title: 'The notification does not fit into a push',
    remedy: 'Shorten the notification; a push holds 4,096 bytes. `excess_bytes` says by how much.',
  },
  body_too_large: {
    status: 413,
    title: 'The body is too large',
    remedy: 'Send at most 65,536 bytes.',
  },
  unsupported_encoding: {
    status: 415,
    title: 'The body is compressed',
    remedy: 'Send the body as it is, without `Content-Encoding`.',
  },
  token_rejected: {
    status: 422,
    title: 'The provider refuses this push token',
    remedy:
      'Check that the token is whole, and that it belongs to this app and to the configured APNs environment (a development build has sandbox tokens) or Firebase project.',
  },
  message_rejected: {
    status: 422,
    title: 'The provider refuses this message',
    remedy: 'Look up the delivery: its attempt names the provider’s reason.',
  },
  type_not_supported: {
    status: 422,
    title: 'The app does not handle this notification type',
    remedy: 'Update the wallet, or remove the restriction of types from the app’s configuration.',
  },
  token_throttled: {
    status: 429,
    title: 'The provider holds back pushes to this token',
    remedy: 'Wait as long as `Retry-After` says; other tokens are not affected.',
  },
  rate_limited: {
    status: 429,
    title: 'Too many calls',
    remedy: 'Wait as long as `Retry-After` says.',
  },
  not_implemented: {
    status: 501,
    title: 'This notification is understood but not served yet',
    remedy: 'Update the service.',
  },
  provider_not_configured: {
    status: 502,
    title: 'No credentials for this platform',
    remedy: 'Configure APNs or FCM for this app; `detail` names the variables.',
  },
  provider_misconfigured: {
    status: 502,
    title: 'The provider refuses our credentials',
    remedy:
      'Check the key, the topic, the environment and the project of this app; `reason` tells which.',
  },
  external_url_missing: {
    status: 502,
    title: 'The service does not know its own address',
    remedy: 'Set NOTIFY_EXTERNAL_URL, so that the device can be told where to reply.',
  },
  provider_unavailable: {
    status: 503,
    title: 'The provider is down',
    remedy:
      'The provider has failed for about a minute, and the payment cannot wait for it. Release what is held; repeat the call later.',
  },
  expired: {
    status: 503,
    title: 'The push could not be sent in time',
    remedy:
      'The provider is down or slow. What the caller holds may be let go; a repeat is a new try.',
  },
  overloaded: {
    status: 503,
    title: 'The service is full',
    remedy: 'Wait as long as `Retry-After` says.',
  },
  shutting_down: {
    status: 503,
    title: 'The service is stopping',
    remedy: 'Repeat the call: a new instance takes over.',
  },
  store_unavailable: {
    status: 503,
    title: 'The push cannot be kept for a later try',
    remedy: 'The database is full, locked or broken; /readyz says which. Repeat the call.',
  },
  no_reply: {
    status: 504,
    title: 'The device did not reply in time',
    remedy: 'The phone was woken but stayed silent. A repeat wakes it again.',
  },
  internal: {
    status: 500,
    title: 'The service made a mistake',
    remedy: 'Report it with the request id; the log has the cause.',
  },
} as const satisfies Record<string, ErrorKind>;

export type ErrorCode = keyof typeof ERRORS;

/** One fault of the input. It names the field and never repeats the value. */
export interface Fault {
  readonly field: string;
  readonly message: string;
}

export interface ErrorDetails {
  /** One sentence about this very case. */
  readonly detail?: string;
  readonly faults?: readonly Fault[];
  /** Seconds for `Retry-After`. */
  readonly retryAfterSeconds?: number;
  /** The delivery that failed, if one was logged. */
  readonly deliveryId?: string;
  /** The provider's reason, from our own tables. */
  readonly reason?: string;
  readonly excessBytes?: number;
  readonly allow?: string;
  /** Another status for the same truth, where the source of the call needs one. */
  readonly status?: number;
}

/** A refused request: expected, told to the caller, never a stack trace. */
export class ServiceError extends Error {
  readonly code: ErrorCode;
  readonly details: ErrorDetails;

  constructor(code: ErrorCode, details: ErrorDetails = {}, options?: ErrorOptions) {
    // Where it was thrown tells nobody anything, and a flood of refusals should cost little.
    const { stackTraceLimit } = Error;
    Error.stackTraceLimit = 0;
    super(details.detail ?? ERRORS[code].title, options);
    Error.stackTraceLimit = stackTraceLimit;
    this.name = 'ServiceError';
    this.code = code;
    this.details = details;
  }

  get status(): number {
    return this.details.status ?? ERRORS[this.code].status;
  }
}
