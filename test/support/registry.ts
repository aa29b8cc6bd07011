// Registers devices over HTTP, as a vendor's backend does.

import { z } from 'zod';
import type { Setup } from './service.ts';

const BACKEND_KEY = 'a-backend-key-for-tests-only';
export const APP_KEY = 'an-app-key-for-tests-only';

export const REGISTRY_ENVIRONMENT = {
  NDS_BACKEND_KEYS: BACKEND_KEY,
  NDS_APP_KEYS: `default=${APP_KEY}`,
};

const deviceSchema = z.object({
  id: z.string(),
  urls: z.record(z.string(), z.string()),
  user: z.string().optional(),
  registered_by: z.string(),
});
export type RegisteredDevice = z.output<typeof deviceSchema>;

export function authorization(key: string = REGISTRY_ENVIRONMENT.NDS_BACKEND_KEYS) {
  return { authorization: `Bearer ${key}`, 'content-type': 'application/json' };
}

/** Registers a device and returns the registry's answer. */
export async function register(
  running: Pick<Setup, 'post'>,
  body: Readonly<Record<string, unknown>>,
  key?: string,
): Promise<RegisteredDevice> {
  const response = await running.post('/api/v1/devices', JSON.stringify(body), {
    headers: authorization(key),
  });
  const text = await response.text();
  if (response.status !== 200)
    throw new Error(`registration was answered ${response.status}: ${text}`);
  return deviceSchema.parse(JSON.parse(text));
}

/** The path of a device's URL at a door. */
export function pathOf(device: RegisteredDevice, door: string): string {
  return new URL(device.urls[door] ?? 'missing:').pathname;
}

export function handleOf(device: RegisteredDevice, door: string): string {
  return pathOf(device, door).split('/').at(-1) ?? '';
}
