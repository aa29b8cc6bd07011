// Apple's status codes and reasons: "Handling notification responses from APNs"
// (developer.apple.com/documentation/usernotifications/handling-notification-responses-from-apns).

export const apnsReasons = {
  BadCollapseId: 400,
  BadDeviceToken: 400,
  BadExpirationDate: 400,
  BadMessageId: 400,
  BadPriority: 400,
  BadTopic: 400,
  DeviceTokenNotForTopic: 400,
  DuplicateHeaders: 400,
  IdleTimeout: 400,
  InvalidPushType: 400,
  MissingDeviceToken: 400,
  MissingTopic: 400,
  PayloadEmpty: 400,
  TopicDisallowed: 400,
  BadCertificate: 403,
  BadCertificateEnvironment: 403,
  BadEnvironmentKeyIdInToken: 403,
  // Undocumented, but what the real servers send instead of the line above (APNSwift #229).
  BadEnvironmentKeyInToken: 403,
  ExpiredProviderToken: 403,
  Forbidden: 403,
  InvalidProviderToken: 403,
  MissingProviderToken: 403,
  UnrelatedKeyIdInToken: 403,
  BadPath: 404,
  MethodNotAllowed: 405,
  ExpiredToken: 410,
  Unregistered: 410,
  PayloadTooLarge: 413,
  TooManyProviderTokenUpdates: 429,
  TooManyRequests: 429,
  InternalServerError: 500,
  ServiceUnavailable: 503,
  Shutdown: 503,
} as const;

export type ApnsReason = keyof typeof apnsReasons;

const statusByReason: ReadonlyMap<string, number> = new Map(Object.entries(apnsReasons));

/** Apple's status for a reason; undefined if it is not in Apple's table. */
export function apnsStatus(reason: string): number | undefined {
  return statusByReason.get(reason);
}

/**
 * Apple's error body. The `timestamp` of a 410, in milliseconds since the epoch, is the time at which APNs last
 * confirmed that the token is no longer valid. A string is written into the JSON as it is.
 */
export function apnsErrorBody(reason: string, timestampMs: number | string | undefined): string {
  if (timestampMs === undefined) return JSON.stringify({ reason });
  return `{"reason":${JSON.stringify(reason)},"timestamp":${timestampMs}}`;
}
