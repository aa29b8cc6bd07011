// The body of `messages:send`: its shape, field by field, and the rules that a schema cannot express. Firebase: "REST
// Resource: projects.messages" (firebase.google.com/docs/reference/fcm/rest/v1/projects.messages).
import { z } from 'zod';
import type { FieldViolation } from './errors.ts';

/** Firebase: "maximum payload 4096 bytes", counted over keys and values; half of it for topics. */
const MAX_DATA_BYTES = 4096;
const MAX_TOPIC_DATA_BYTES = 2048;
const MAX_APNS_PAYLOAD_BYTES = 4096;
const MAX_COLLAPSE_ID_BYTES = 64;
/** Four weeks. */
const MAX_TTL_SECONDS = 2_419_200;

const stringMap = z.record(z.string(), z.string());
const anything = z.record(z.string(), z.unknown());
const notification = z.strictObject({
  title: z.string().optional(),
  body: z.string().optional(),
  image: z.string().optional(),
});

const android = z.strictObject({
  collapse_key: z.string().optional(),
  priority: z.enum(['NORMAL', 'HIGH', 'normal', 'high']).optional(),
  /** google.protobuf.Duration in JSON: seconds with up to nine decimals and an `s`. */
  ttl: z
    .string()
    .regex(/^-?\d+(\.\d{1,9})?s$/)
    .optional(),
  restricted_package_name: z.string().optional(),
  data: stringMap.optional(),
  notification: anything.optional(),
  fcm_options: anything.optional(),
  direct_boot_ok: z.boolean().optional(),
  bandwidth_constrained_ok: z.boolean().optional(),
  restricted_satellite_ok: z.boolean().optional(),
});

const apns = z.strictObject({
  headers: stringMap.optional(),
  payload: anything.optional(),
  fcm_options: anything.optional(),
  live_activity_token: z.string().optional(),
});

const messageSchema = z.strictObject({
  token: z.string().optional(),
  topic: z.string().optional(),
  condition: z.string().optional(),
  data: stringMap.optional(),
  notification: notification.optional(),
  android: android.optional(),
  apns: apns.optional(),
  webpush: anything.optional(),
  fcm_options: anything.optional(),
});

const requestSchema = z.strictObject({
  message: messageSchema,
  validate_only: z.boolean().optional(),
  /** firebase-admin spells it this way; Google's JSON takes either spelling. */
  validateOnly: z.boolean().optional(),
});

const apsSchema = z.object({
  alert: z.union([z.string(), z.object({ title: z.string().optional() })]).optional(),
});

/** A message as Google's REST reference names its fields. */
export type FcmMessage = Readonly<z.infer<typeof messageSchema>>;

export type ParsedRequest =
  | { readonly message: FcmMessage; readonly validateOnly: boolean }
  | { readonly malformed: FieldViolation };

/** Reads the JSON; `malformed` is the complaint of Google's JSON parser. */
export function parseSendRequest(body: Buffer): ParsedRequest {
  let json: unknown;
  try {
    json = JSON.parse(body.toString());
  } catch {
    const description = 'Invalid JSON payload received. Unexpected token.';
    return { malformed: { field: '', description } };
  }
  const parsed = requestSchema.safeParse(json);
  if (!parsed.success) return { malformed: describe(parsed.error.issues[0], json) };
  const { message, validate_only, validateOnly } = parsed.data;
  return { message, validateOnly: validate_only ?? validateOnly ?? false };
}

function describe(issue: z.core.$ZodIssue | undefined, json: unknown): FieldViolation {
  const field = fieldPath(issue?.path ?? [], json);
  if (issue?.code === 'unrecognized_keys') {
    const place = field === '' ? '' : ` at '${field}'`;
    const name = `Unknown name "${issue.keys[0] ?? ''}"${place}`;
    return { field, description: `Invalid JSON payload received. ${name}: Cannot find field.` };
  }
  return { field, description: `Invalid value at '${field}'` };
}

/** Google counts the entries of a map: `message.data[0].value`. */
function fieldPath(path: readonly PropertyKey[], json: unknown): string {
  const [root, map, key] = path.map(String);
  if (root !== 'message' || map !== 'data' || key === undefined) return path.map(String).join('.');
  const data = z.object({ message: z.object({ data: anything }) }).safeParse(json);
  const index = data.success ? Object.keys(data.data.message.data).indexOf(key) : 0;
  return `message.data[${index}].value`;
}

/** What FCM itself refuses with INVALID_ARGUMENT, or undefined. */
export function checkMessage(message: FcmMessage): FieldViolation | undefined {
  return (
    checkRecipient(message) ??
    checkData(message.data, { field: 'message.data', message }) ??
    checkData(message.android?.data, { field: 'message.android.data', message }) ??
    checkTtl(message.android?.ttl) ??
    checkApns(message)
  );
}

function checkRecipient({ token, topic, condition }: FcmMessage): FieldViolation | undefined {
  const given = [token, topic, condition].filter((value) => value !== undefined);
  if (given.length === 0 || given.includes('')) {
    const field = token === '' ? 'message.token' : 'message';
    return { field, description: 'Recipient of the message is not set.' };
  }
  if (given.length === 1) return undefined;
  const description = "Invalid value at 'message' (oneof), oneof field 'target' is already set.";
  return { field: 'message', description };
}

/** Firebase reserves `from`, `message_type` and everything that starts with `google` or `gcm`. */
function checkData(
  data: Readonly<Record<string, string>> | undefined,
  { field, message }: { field: string; message: FcmMessage },
): FieldViolation | undefined {
  if (data === undefined) return undefined;
  let bytes = 0;
  for (const [index, [key, value]] of Object.entries(data).entries()) {
    if (key === 'from' || key === 'message_type' || /^(google|gcm)/.test(key)) {
      return { field: `${field}[${index}].key`, description: `Invalid data payload key: ${key}` };
    }
    bytes += Buffer.byteLength(key) + Buffer.byteLength(value);
  }
  const maxBytes = message.token === undefined ? MAX_TOPIC_DATA_BYTES : MAX_DATA_BYTES;
  return bytes > maxBytes ? { field, description: 'Message is too big' } : undefined;
}

function checkTtl(ttl: string | undefined): FieldViolation | undefined {
  if (ttl === undefined) return undefined;
  const seconds = Number(ttl.slice(0, -1));
  if (seconds >= 0 && seconds <= MAX_TTL_SECONDS) return undefined;
  return { field: 'message.android.ttl', description: `Invalid ttl: ${ttl}` };
}

function checkApns(message: FcmMessage): FieldViolation | undefined {
  const { apns } = message;
  if (apns === undefined) return undefined;
  const { headers = {}, payload = {} } = apns;
  const priority = headers['apns-priority'];
  const expiration = headers['apns-expiration'];
  if (priority !== undefined && !['1', '5', '10'].includes(priority)) {
    return violated('apns-priority', priority);
  }
  // Firebase, "Set and manage message priority": data messages to Apple devices need 5.
  if (priority === '10' && !hasAlert(message)) return violated('apns-priority', priority);
  if (expiration !== undefined && !/^\d{1,10}$/.test(expiration)) {
    return violated('apns-expiration', expiration);
  }
  const collapseId = headers['apns-collapse-id'] ?? '';
  if (Buffer.byteLength(collapseId) > MAX_COLLAPSE_ID_BYTES) {
    return violated('apns-collapse-id', collapseId);
  }
  if (Buffer.byteLength(JSON.stringify(payload)) > MAX_APNS_PAYLOAD_BYTES) {
    return { field: 'message.apns.payload', description: 'Message is too big' };
  }
  return undefined;
}

function violated(header: string, value: string): FieldViolation {
  return { field: `message.apns.headers.${header}`, description: `Invalid ${header}: ${value}` };
}

/** Whether an iPhone would show something, which is also what starts a service extension. */
export function hasAlert(message: FcmMessage): boolean {
  return message.notification !== undefined || alertOf(message) !== undefined;
}

/** What the phone would show as title. */
export function titleOf(message: FcmMessage): string | undefined {
  const alert = alertOf(message);
  const title = typeof alert === 'string' ? alert : alert?.title;
  return title ?? message.notification?.title;
}

function alertOf(message: FcmMessage): string | { title?: string | undefined } | undefined {
  const aps = apsSchema.safeParse(message.apns?.payload?.aps);
  return aps.success ? aps.data.alert : undefined;
}
