// What each field of the log means; one name means one thing in every line. docs/logging.md lists this table.

export const FIELDS = {
  address: 'where a provider is reached',
  address_hash: 'the fingerprint of the caller’s address',
  app: 'the app, as it is configured',
  attempts: 'how many attempts were made',
  by: 'the name of the operator’s key, or the socket',
  cause: 'the stack of a fault of our own, or what the system said',
  closed: 'apps whose connections a reload closed',
  code: 'of a refusal: docs/errors.md, or `duplicate`; of a proof: docs/troubleshooting.md',
  count: 'how many since the last such line',
  dead: 'devices deleted because their token was dead for long',
  deliveries: 'the deliveries that the answer is about, each with what became of it',
  delivery_id: 'the delivery; its caller got it as `Delivery-Id`',
  detail: 'a sentence for people',
  device_id: 'the registered device that the call named',
  door: 'which kind of caller the route is for, or its source',
  duration_ms: 'how long it took',
  endpoint_id: 'the endpoint of the vendor’s backend',
  end: 'how the wait for a reply ended: answered, silent, hung_up, failed, shut_down',
  faults: 'every fault of the configuration',
  failing_for_ms: 'since the first failure after the last success',
  fields: 'names of the fields at fault, joined by commas',
  file: 'the path of a file',
  handle_hash: 'the fingerprint of a handle that no device has',
  has_domain: 'whether the call came by the URL of a configured domain',
  held_for_ms: 'for how long the provider holds a token back',
  is_first: 'whether it is the first receipt of its delivery',
  is_call: 'whether the route is one of webhooks',
  kept: 'what a reload left as it was',
  latency_ms: 'from the beginning of an attempt to the provider’s answer',
  limit: 'which limit was reached, or the setting of it',
  lost_ms: 'for how long the machine stood still',
  max: 'the value of the setting',
  method: 'the HTTP method; `_OTHER` if the route does not serve it',
  metrics_url: 'where Prometheus reads',
  n: 'which push a receipt answers: 2 for the second',
  needs_restart: 'variables of .env that are others now than at the start',
  node_id: 'the Lightning node that signed',
  number: 'which attempt of its delivery, from 1',
  opened: 'apps that a reload added or connected again',
  operations: 'how many operations shared a transaction',
  outcome:
    'what a provider’s answer means: delivered, unregistered, retry, rejected, misconfigured',
  platform: 'ios or android',
  provider: 'apns, apns_sandbox or fcm',
  reason: 'why: a word of Apple’s, Google’s or ours, never free text',
  remedy: 'what to do',
  repeated: 'whether it happened more often than chance explains',
  request_id: 'the request; its caller got it as `Request-Id`, and in a problem as `instance`',
  resealed_rows: 'how many rows were encrypted again',
  result: 'of a second push: rescued, late or useless',
  role: 'which thread of the store: writer or reader',
  route: 'the pattern of the route, never the path as it came',
  since_push_ms: 'from the provider’s acceptance of the push',
  since_receipt_ms: 'from the receipt of the call',
  since_start_ms: 'from the beginning of the attempt',
  source: 'the source of a webhook',
  stage: 'how far the phone came: started, connected, done, failed',
  state: 'open while a provider fails, else closed',
  status: 'of a delivery: its end; of a request: the HTTP status; of a mail: the SMTP status',
  subject_hash: 'the fingerprint of a payment hash, swap id or transaction id',
  token_hash: 'the fingerprint of a push token: 32 lower-case hex digits, as in the database',
  told: 'what the caller was told: delivered, queued, duplicate, ignored, replied, acknowledged',
  type: 'the type of the notification',
  unanswered: 'pushes since the last receipt of a phone',
  unlogged: 'deliveries that left no row while the database failed',
  unseen: 'devices deleted because nobody heard of them for long',
  url: 'where the service listens',
  why: 'why the work of a phone failed',
  where: 'the part of the service in which a fault of our own happened',
} as const;

export type FieldName = keyof typeof FIELDS;

export type Level = 'debug' | 'info' | 'warn' | 'error';

export interface Line {
  readonly level: Level;
  /** When the level is `error` instead. */
  readonly errorIf?: string;
  readonly when: string;
}
