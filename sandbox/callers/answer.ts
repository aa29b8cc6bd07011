// What a caller reads of the service's answer: the status, and the two headers that a vendor may log.

export interface CallerAnswer {
  readonly status: number;
  readonly deliveryId: string | undefined;
  readonly deliveryStatus: string | undefined;
  /** Empty if this caller does not read it. */
  readonly body: string;
}

export function answerOf(
  status: number,
  { headers, body = '' }: { headers: (name: string) => string | undefined; body?: string },
): CallerAnswer {
  return {
    status,
    deliveryId: headers('delivery-id'),
    deliveryStatus: headers('delivery-status'),
    body,
  };
}
