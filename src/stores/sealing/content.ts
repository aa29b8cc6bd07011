// What is encrypted of a delivery and of a device, and the context it is bound to.

import type { Delivery } from '../../core/delivery.ts';
import type { Device } from '../../core/ports/devices.ts';
import type { Endpoint } from '../../core/ports/events.ts';
import type { ApnsEnvironment } from '../../core/target.ts';
import type { Sealer } from './seal.ts';

export interface DeliveryContent {
  readonly token: string;
  readonly appData?: string | undefined;
  readonly environment?: ApnsEnvironment | undefined;
  readonly title: string;
  readonly titleLocKey?: string | undefined;
  readonly payload: string;
  /** For the event about its end. */
  readonly subject?: string | undefined;
  readonly registeredAtMs?: number | undefined;
}

export interface DeviceContent
  extends Pick<Device, 'user' | 'locale' | 'nodeIds' | 'secrets' | 'handles' | 'registeredAtMs'> {
  readonly token: string;
  readonly appData?: string;
  readonly environment?: ApnsEnvironment;
}

export function sealDelivery(sealer: Sealer, delivery: Delivery): Buffer {
  const { id, target, notification, registeredAtMs } = delivery;
  const content: DeliveryContent = {
    token: target.token,
    appData: target.appData,
    environment: target.environment,
    title: notification.title,
    titleLocKey: notification.titleLocKey,
    payload: notification.payload,
    subject: notification.subject,
    registeredAtMs,
  };
  return sealer.seal(Buffer.from(JSON.stringify(content)), deliveryContext(id));
}

/** Undefined if it cannot be decrypted. */
export function openDelivery(
  sealer: Sealer,
  { id, sealed }: { readonly id: string; readonly sealed: Uint8Array },
): DeliveryContent | undefined {
  const plain = sealer.open(sealed, deliveryContext(id));
  // No check of the form is needed: only a value that `sealDelivery` wrote can be opened.
  return plain === undefined ? undefined : JSON.parse(plain.toString());
}

export function sealDevice(sealer: Sealer, device: Device): Buffer {
  const { target, user, locale, nodeIds, secrets, handles, registeredAtMs } = device;
  const { token, appData, environment } = target;
  const what = { user, locale, nodeIds, secrets, handles, registeredAtMs };
  const content = { token, appData, environment, ...what };
  return sealer.seal(Buffer.from(JSON.stringify(content)), deviceContext(device.id));
}

/** Undefined if it cannot be decrypted: the device then counts as missing. */
export function openDeviceContent(
  sealer: Sealer,
  { id, sealed }: { readonly id: string; readonly sealed: Uint8Array },
): DeviceContent | undefined {
  const plain = sealer.open(sealed, deviceContext(id));
  return plain === undefined ? undefined : JSON.parse(plain.toString());
}

export function sealEndpoint(sealer: Sealer, { id, url, secrets }: Endpoint): Buffer {
  return sealer.seal(Buffer.from(JSON.stringify({ url, secrets })), endpointContext(id));
}

export function openEndpoint(
  sealer: Sealer,
  { id, sealed }: { readonly id: string; readonly sealed: Uint8Array },
): Pick<Endpoint, 'url' | 'secrets'> | undefined {
  const plain = sealer.open(sealed, endpointContext(id));
  return plain === undefined ? undefined : JSON.parse(plain.toString());
}

/** A sealed value that is moved to another row cannot be opened there. */
export function deliveryContext(id: string): string {
  return `delivery ${id}`;
}

/** Never equal to the context of a delivery. */
export function deviceContext(id: string): string {
  return `device ${id}`;
}

export function endpointContext(id: string): string {
  return `endpoint ${id}`;
}
