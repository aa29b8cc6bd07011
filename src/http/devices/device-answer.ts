// A device as callers see it: without its token and secrets, and with its URLs only if they may wake it.

import { ServiceError } from '../../core/errors.ts';
import type { Device, Door } from '../../core/ports/devices.ts';
import { answeredOf, type WakeHistory } from '../../core/receipts/history.ts';

export interface DeviceAnswerParts {
  readonly externalUrl: string | undefined;
  /** The path of a door, up to its handle. */
  readonly pathOf: (door: Door) => string;
}

/** By door. Throws `external_url_missing`. */
export function deviceUrls(
  { externalUrl, pathOf }: DeviceAnswerParts,
  { handles }: Device,
): Readonly<Record<string, string>> {
  if (externalUrl === undefined) throw new ServiceError('external_url_missing');
  const urls = Object.entries(handles).map(([name, handle]) => {
    return [name, `${externalUrl}${pathOf(name)}${handle}`];
  });
  return Object.fromEntries(urls);
}

/** How the phone woke so far, if its app has receipts. */
export function describeWakes(history: WakeHistory | undefined): object | undefined {
  if (history === undefined) return undefined;
  const { lastWakeAtMs, silentSinceMs, demotedAtMs } = history;
  return {
    ...answeredOf(history),
    last_wake_at: isoOf(lastWakeAtMs),
    silent_since: isoOf(silentSinceMs),
    demoted_at: isoOf(demotedAtMs),
  };
}

function isoOf(atMs: number | undefined): string | undefined {
  return atMs === undefined ? undefined : new Date(atMs).toISOString();
}

/** Without `urls` for a caller that may only read, because a URL grants the right to wake the phone. */
export function describeDevice(
  device: Device,
  urls: Readonly<Record<string, string>> | undefined,
): object {
  const { target, secrets } = device;
  return {
    id: device.id,
    app: target.app,
    platform: target.platform,
    user: device.user,
    app_data: target.appData,
    environment: target.environment,
    locale: device.locale,
    lsp_node_ids: device.nodeIds,
    secrets: Object.fromEntries(Object.entries(secrets).map(([name, list]) => [name, list.length])),
    urls,
    registered_by: device.registrar,
    created_at: new Date(device.createdAtMs).toISOString(),
    seen_at: new Date(device.seenAtMs).toISOString(),
    dead_since: isoOf(device.deadSinceMs),
  };
}
