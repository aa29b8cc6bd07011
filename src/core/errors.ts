// Every public error: code, status, title and remedy. A test keeps docs/errors.md equal to this table.

import type { Fault } from './fault.ts';
import type { LimitName } from './limit-name.ts';

interface ErrorKind {
  readonly status: number;
  readonly title: string;
  /** What the caller or the vendor's engineer does next; also in docs/errors.md. */
  readonly remedy: string;
}

export const ERRORS = {
  bad_query: {
    status: 400,
    title: 'Invalid query',
    remedy: 'Fix the query parameters listed in `errors`.',
  },
  bad_body: {
    status: 400,
    title: 'Invalid body',
    remedy: 'Send one of the documented JSON bodies; `errors` lists what is wrong.',
  },
  bad_request: {
    status: 400,
    title: 'Malformed HTTP request',
    remedy: 'Fix the request line, the headers or the framing of the body.',
  },
  bad_signature: {
    status: 401,
    title: 'Missing or invalid signature',
    remedy:
      'Sign the raw body with the secret or key registered for this URL, and send the signature in the header that this source uses.',
  },
  stale_timestamp: {
    status: 401,
    title: 'Missing, malformed or stale timestamp',
    remedy: 'Check the caller’s clock, and send each call when it is signed.',
  },
  unauthorized: {
    status: 401,
    title: 'Missing or invalid bearer token',
    remedy: 'Send `Authorization: Bearer` with a token that is allowed to make this call.',
  },
  insufficient_scope: {
    status: 403,
    title: 'Key without the scope for this call',
    remedy: 'Use a key of NDS_API_KEYS with the scope that `detail` names.',
  },
  foreign_page: {
    status: 403,
    title: 'Not from the page of this service',
    remedy:
      'Open the page at NOTIFY_EXTERNAL_URL over https, or at localhost; other programs use the API with a key.',
  },
  unknown_handle: {
    status: 404,
    title: 'Unknown handle',
    remedy: 'Register the device again, or use the URL that was issued for this route.',
  },
  unknown_user: {
    status: 404,
    title: 'Unknown user',
    remedy: 'Register a device with this user, or correct the user in the call.',
  },
  unknown_device: {
    status: 404,
    title: 'Unknown device',
    remedy: 'Look the device up by its user, or register it again.',
  },
  unknown_delivery: {
    status: 404,
    title: 'Unknown delivery',
    remedy: 'Check the id; ended deliveries leave the log after NDS_RETENTION.',
  },
  unknown_token: {
    status: 404,
    title: 'Unknown token',
    remedy: 'Check the fingerprint; it is that of app and token, as the log shows it.',
  },
  unknown_endpoint: {
    status: 404,
    title: 'Unknown endpoint',
    remedy: 'Check the id; `GET /api/v1/endpoints` lists all endpoints.',
  },
  unknown_event: {
    status: 404,
    title: 'Unknown event',
    remedy: 'Check the id; events are kept for 24 hours at most.',
  },
  unknown_source: {
    status: 404,
    title: 'Unknown source',
    remedy: 'Use the name of a configured source; docs/sources lists the built-in ones.',
  },
  not_found: {
    status: 404,
    title: 'Not found',
    remedy: 'Check the path; docs/README.md lists all routes.',
  },
  unknown_app: {
    status: 404,
    title: 'Unknown app',
    remedy: 'Use the name of a configured app in `app`, or leave it out to use `default`.',
  },
  method_not_allowed: {
    status: 405,
    title: 'Method not allowed',
    remedy: 'Use one of the methods in the `Allow` header.',
  },
  too_many_devices: {
    status: 409,
    title: 'Too many devices',
    remedy: 'Delete devices that are no longer used, or raise the limit named in `detail`.',
  },
  too_many_endpoints: {
    status: 409,
    title: 'Too many endpoints',
    remedy: 'Delete endpoints that are no longer used.',
  },
  email_endpoint: {
    status: 409,
    title: 'E-mail endpoint',
    remedy:
      'E-mail endpoints have no secret, and a digest cannot be sent again. To send one event again, call `redeliver` with its id.',
  },
  endpoint_configured: {
    status: 409,
    title: 'Endpoint of the configuration',
    remedy:
      'Change it in the file of NDS_ENDPOINTS_FILE and reload, or in NDS_ENDPOINTS and restart.',
  },
  device_exists: {
    status: 409,
    title: 'Another device has the same app, token, user and app_data',
    remedy: 'Delete one of the two devices, or change one of these fields.',
  },
  content_erased: {
    status: 409,
    title: 'Content already erased',
    remedy: 'The delivery has ended and is erased. Ask its caller to call again.',
  },
  held_back: {
    status: 409,
    title: 'Delivery held back',
    remedy:
      'Wait for the time in `Retry-After`: the provider throttles the token, or an earlier attempt may have arrived.',
  },
  reload_failed: {
    status: 409,
    title: 'Configuration not applied',
    remedy: 'Correct what `errors` lists; the old configuration stays in use.',
  },
  token_unregistered: {
    status: 410,
    title: 'Push token no longer valid',
    remedy:
      'The app was removed or its token changed. The wallet must register its new token; do not repeat the call.',
  },
  push_too_large: {
    status: 413,
    title: 'Notification too large for a push',
    remedy: 'Shorten the notification by at least `excess_bytes` bytes; a push holds 4,096 bytes.',
  },
  body_too_large: {
    status: 413,
    title: 'Body too large',
    remedy: 'Send at most 65,536 bytes.',
  },
  unsupported_encoding: {
    status: 415,
    title: 'Unsupported content encoding',
    remedy: 'Send the body uncompressed, without `Content-Encoding`.',
  },
  token_rejected: {
    status: 422,
    title: 'Push token rejected by the provider',
    remedy:
      'Check that the token is complete, and that it belongs to this app and to the configured APNs environment (development builds have sandbox tokens) or Firebase project.',
  },
  message_rejected: {
    status: 422,
    title: 'Message rejected by the provider',
    remedy: 'Look up the delivery: its attempt has the provider’s reason.',
  },
  type_not_supported: {
    status: 422,
    title: 'Notification type not supported by the app',
    remedy: 'Update the wallet, or remove the restriction of types from the app’s configuration.',
  },
  token_throttled: {
    status: 429,
    title: 'Push token throttled by the provider',
    remedy: 'Wait for the time in `Retry-After`; other tokens are not affected.',
  },
  rate_limited: {
    status: 429,
    title: 'Too many requests',
    remedy: 'Wait for the time in `Retry-After`.',
  },
  provider_not_configured: {
    status: 502,
    title: 'No credentials for this platform',
    remedy: 'Configure APNs or FCM for this app; `detail` names the variables.',
  },
  provider_misconfigured: {
    status: 502,
    title: 'Provider not usable as configured',
    remedy:
      '`reason` names the cause and `GET /readyz` explains it: check key, topic, environment, project and endpoint of this app.',
  },
  external_url_missing: {
    status: 502,
    title: 'External URL not configured',
    remedy: 'Set NOTIFY_EXTERNAL_URL, which devices and callers use to reach the service.',
  },
  provider_unavailable: {
    status: 503,
    title: 'Provider unavailable',
    remedy:
      'The provider has failed for about a minute, longer than a payment can wait. Release what is held; repeat the call later.',
  },
  expired: {
    status: 503,
    title: 'Push not sent in time',
    remedy: 'The provider is down or slow. Release what is held, or repeat the call.',
  },
  overloaded: {
    status: 503,
    title: 'Overloaded',
    remedy: 'Wait for the time in `Retry-After`, then repeat the call.',
  },
  shutting_down: {
    status: 503,
    title: 'Shutting down',
    remedy: 'Repeat the call; a new instance takes over.',
  },
  machine_unreachable: {
    status: 503,
    title: 'The machine that waits for this reply does not answer',
    remedy: 'Send the reply again after `Retry-After`; `reply_not_forwarded` in the log says why.',
  },
  store_unavailable: {
    status: 503,
    title: 'Database unavailable',
    remedy:
      'The database is full, locked, damaged or cannot be reached: /readyz says which. Repeat the call.',
  },
  no_reply: {
    status: 504,
    title: 'No reply from the device',
    remedy: 'The push was sent; the phone did not reply in time. Repeat the call to wake it.',
  },
  internal: {
    status: 500,
    title: 'Internal error',
    remedy: 'Report the request id; the log has the cause.',
  },
} as const satisfies Record<string, ErrorKind>;

export type ErrorCode = keyof typeof ERRORS;

/** The statuses of refusals, and 200, which some callers need for a call that can never succeed. */
export type ErrorStatus = (typeof ERRORS)[ErrorCode]['status'] | 200;

export interface ErrorDetails {
  /** One sentence about this case. */
  readonly detail?: string;
  readonly faults?: readonly Fault[];
  /** Seconds for `Retry-After`. */
  readonly retryAfterSeconds?: number;
  /** The delivery that failed, if one was logged. */
  readonly deliveryId?: string | undefined;
  /** Set if that delivery belongs to an earlier call, which this one repeated. */
  readonly isRepeat?: boolean | undefined;
  readonly limit?: LimitName | undefined;
  /** The provider's reason, from our own tables. */
  readonly reason?: string;
  readonly excessBytes?: number;
  readonly allow?: string;
  /** Replaces the status of the table, where the source of the call needs another one. */
  readonly status?: ErrorStatus;
}

/** A refused request: expected, reported to the caller, without a stack trace. */
export class ServiceError extends Error {
  readonly code: ErrorCode;
  readonly details: ErrorDetails;

  constructor(code: ErrorCode, details: ErrorDetails = {}, options?: ErrorOptions) {
    super(details.detail ?? ERRORS[code].title, options);
    this.name = 'ServiceError';
    this.code = code;
    this.details = details;
  }

  get status(): ErrorStatus {
    return this.details.status ?? ERRORS[this.code].status;
  }
}
