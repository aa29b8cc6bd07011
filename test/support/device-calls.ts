// The registry's routes as its callers use them: one function for each route, which returns the answer.

import { z } from 'zod';
import { type Answer, problemOf, send } from './callers.ts';
import { authorization, handleOf, type RegisteredDevice, register } from './registry.ts';
import { ANDROID_TOKEN, type Setup } from './service.ts';

/** What the registry answers about a device. */
const described = z.strictObject({
  id: z.string().regex(/^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/),
  app: z.string(),
  platform: z.enum(['ios', 'android']),
  user: z.string().optional(),
  app_data: z.string().optional(),
  environment: z.enum(['production', 'sandbox']).optional(),
  locale: z.string().optional(),
  lsp_node_ids: z.array(z.string()),
  secrets: z.record(z.string(), z.number()),
  urls: z.record(z.string(), z.string()),
  registered_by: z.enum(['backend', 'app', 'self']),
  created_at: z.string(),
  seen_at: z.string(),
  dead_since: z.string().optional(),
});
export type DescribedDevice = z.output<typeof described>;

const list = z.strictObject({ devices: z.array(described) });

export const DEVICES = '/api/v1/devices';

export interface RegistryCall {
  readonly method?: string;
  /** The part after `/api/v1/devices`. */
  readonly path?: string;
  readonly body?: object | string;
  /** Bearer token; default the backend's; none if null. */
  readonly key?: string | null;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Any call to the registry, refused or not. */
export function callRegistry(
  { service }: Pick<Setup, 'service'>,
  { method = 'GET', path = '', body, key, headers = {} }: RegistryCall,
): Promise<Answer> {
  return send(service.url, {
    method,
    path: `${DEVICES}${path}`,
    headers: { ...(key === null ? {} : authorization(key)), ...headers },
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  });
}

/** The device in an answer; throws if the call was refused. */
export function deviceOf({ status, text }: Answer): DescribedDevice {
  if (status !== 200) throw new Error(`${status}: ${text}`);
  return described.parse(JSON.parse(text));
}

export async function readDevice(running: Setup, id: string): Promise<DescribedDevice> {
  return deviceOf(await callRegistry(running, { path: `/${id}` }));
}

export async function listDevices(
  running: Setup,
  user: string,
  app?: string,
): Promise<readonly DescribedDevice[]> {
  const query = new URLSearchParams({ user, ...(app === undefined ? {} : { app }) });
  const { text } = await callRegistry(running, { path: `?${query}` });
  return list.parse(JSON.parse(text)).devices;
}

export async function changeDevice(
  running: Setup,
  id: string,
  changes: object,
): Promise<DescribedDevice> {
  const call = { method: 'PATCH', path: `/${id}`, body: changes };
  return deviceOf(await callRegistry(running, call));
}

export async function deleteDevice(running: Setup, id: string): Promise<void> {
  const answer = await callRegistry(running, { method: 'DELETE', path: `/${id}` });
  if (answer.status !== 200) throw new Error(`${answer.status}: ${answer.text}`);
}

/** A new URL for one door. */
export async function renewHandle(running: Setup, id: string, door: string) {
  const call = { method: 'POST', path: `/${id}/handles/${door}` };
  return deviceOf(await callRegistry(running, call));
}

/** The fields that a refusal names. */
export function faultyFields(answer: Answer): readonly string[] {
  const fields = (problemOf(answer).errors ?? []).map(({ field }) => field);
  return [...new Set(fields)].toSorted();
}

/** Wakes a device through its unsigned door. */
export function wake(running: Setup, device: RegisteredDevice, paymentHash: string) {
  return wakeHandle(running, handleOf(device, 'notify'), paymentHash);
}

export function wakeHandle(running: Setup, handle: string, paymentHash: string): Promise<Answer> {
  return send(running.service.url, { path: `/n/${handle}`, body: paymentBody(paymentHash) });
}

export function paymentBody(paymentHash: string): string {
  return JSON.stringify({ template: 'payment_received', data: { payment_hash: paymentHash } });
}

/** An Android device; a test gives only the fields that matter to it. */
export function registerPhone(
  running: Setup,
  details: Readonly<Record<string, unknown>> = {},
  key?: string,
): Promise<RegisteredDevice> {
  return register(running, { platform: 'android', token: ANDROID_TOKEN, ...details }, key);
}

const answered = z.looseObject({ id: z.string(), status: z.string() });

/** Id and status in a successful answer. */
export function successOf({ status, text }: Answer) {
  if (status !== 200) throw new Error(`${status}: ${text}`);
  return answered.parse(JSON.parse(text));
}
