// A service that commands operate, with one device in it.

import { expect } from 'vitest';
import { z } from 'zod';
import { askService } from './command.ts';
import { ANDROID_TOKEN, IOS_TOKEN, type Setup, setup } from './service.ts';

export const PAYMENT_HASH = '4bb06f8e4e3a7715d201d573d0aa423762e55dabd61a2c02278fa56cc6d294e0';
export const USER = '02f1c4d3aa';

export const imported = z.looseObject({
  line: z.number(),
  status: z.string(),
  id: z.string().optional(),
  code: z.string().optional(),
  urls: z.record(z.string(), z.string()).optional(),
});

/** A service with a device of the user, imported by the command. */
export async function withDevice(settings: Readonly<Record<string, string>> = {}) {
  const running = await setup({ environment: settings });
  const { environment } = running;
  const input = JSON.stringify({ platform: 'android', token: ANDROID_TOKEN, user: USER });
  const { stdout } = await askService(['devices', 'import', '-'], { environment, input });
  const { id = '', urls = {} } = imported.parse(JSON.parse(stdout));
  const nds = (...args: readonly string[]) => askService(args, { environment });
  const given = (text: string, ...args: readonly string[]) =>
    askService(args, { environment, input: `${text}\n` });
  return { running, environment, id, urls, nds, given };
}

export function expectNothingSecret(output: string, { environment }: Setup): void {
  for (const secret of [ANDROID_TOKEN, IOS_TOKEN, environment.NDS_SECRET ?? '']) {
    expect(output).not.toContain(secret);
  }
}
