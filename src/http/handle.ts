// From the handle in a URL to its device. The door is part of what is looked up, so that a handle of
// another door is as unknown as an invented or a deleted one: the same 404 after the same work.

import { handleKey } from '../core/devices/registry.ts';
import { ERRORS, ServiceError } from '../core/errors.ts';
import type { Clock } from '../core/ports/clock.ts';
import { type Device, type DeviceStore, type Door, HANDLE } from '../core/ports/devices.ts';
import type { Ids } from '../core/ports/ids.ts';
import { StoreUnavailableError } from '../core/ports/store.ts';
import type { HttpContext } from './context.ts';

const NOT_LOOKED_UP = `The handle could not be looked up, and no push was tried. ${ERRORS.store_unavailable.remedy}`;

/** As long as a statement of PostgreSQL may take: a disk that stands still must not keep callers waiting. */
const LOOKUP_MS = 2_000;

/** Throws `unknown_handle`, or `store_unavailable` where the registry cannot be read, or not in time. */
export async function resolveHandle(
  {
    ids,
    devices,
    clock,
  }: {
    readonly ids: Pick<Ids, 'fingerprint'>;
    readonly devices: Pick<DeviceStore, 'findDeviceByHandle'>;
    readonly clock: Clock;
  },
  c: HttpContext,
  door: Door,
): Promise<Device> {
  const handle = c.req.param('handle') ?? '';
  c.set('handle', { door, handle });
  if (!HANDLE.test(handle)) throw new ServiceError('unknown_handle');
  const device = await readingInTime(
    clock,
    () => devices.findDeviceByHandle(ids.fingerprint(handleKey(door, handle))),
    NOT_LOOKED_UP,
  );
  if (device === undefined) throw new ServiceError('unknown_handle');
  c.set('app', device.target.app);
  c.set('recipient', { target: device.target, deviceId: device.id });
  return device;
}

/** For calls that hold a payment: `store_unavailable` also if the registry does not answer in time. */
export async function readingInTime<Result>(
  clock: Clock,
  read: () => Promise<Result>,
  detail?: string,
): Promise<Result> {
  const { promise: over, reject } = Promise.withResolvers<never>();
  const timer = clock.after(LOOKUP_MS, () => reject(new StoreUnavailableError('busy')));
  try {
    return await reading(() => Promise.race([read(), over]), detail);
  } finally {
    timer.cancel();
  }
}

/** A registry that cannot be read does not make a handle unknown: the caller should repeat the call. */
export async function reading<Result>(
  read: () => Promise<Result>,
  detail: string = ERRORS.store_unavailable.remedy,
): Promise<Result> {
  try {
    return await read();
  } catch (cause) {
    if (!(cause instanceof StoreUnavailableError)) throw cause;
    throw new ServiceError('store_unavailable', { retryAfterSeconds: 1, detail }, { cause });
  }
}
