// The limits that a call can reach.

/** Limits on calls, places and devices. The log names it for a refused call. */
export type LimitName =
  | 'token_rate'
  | 'global_rate'
  | 'address_rate'
  | 'signature_rate'
  | 'registration_rate'
  | 'in_flight'
  | 'reply_waits'
  | 'reply_waits_of_device'
  | 'max_devices'
  | 'max_devices_per_user'
  | 'wrong_keys'
  | 'stream_readers';
