// Devices and their handles: what a vendor's backend, an app or a wallet registers, and the port to their store. A
// handle identifies a device at one door only.

import type { Target } from '../target.ts';

/** The doors that take handles. Sources of the webhooks door have one each, under their own name. */
export type Door = string;

/** 128 random bits, URL-safe. */
export const HANDLE = /^[A-Za-z0-9_-]{22}$/;

/** Who registered a device, which decides who may touch it. */
export type Registrar = 'backend' | 'app' | 'self';

/** What the registering side says about a device. */
export interface DeviceDetails {
  readonly target: Target;
  /** Whose device it is: for example the wallet's public key. */
  readonly user?: string;
  /** BCP 47. */
  readonly locale?: string;
  /** Node ids of the LSPs whose notifications are allowed (bLIP-55): 33-byte compressed keys in hex. */
  readonly nodeIds: readonly string[];
  /** Webhook secrets by source, several during a rotation. */
  readonly secrets: Readonly<Record<string, readonly string[]>>;
}

export interface Device extends DeviceDetails {
  /** UUID version 7. */
  readonly id: string;
  readonly registrar: Registrar;
  readonly handles: Readonly<Record<Door, string>>;
  /** Wall times, Unix milliseconds. */
  readonly createdAtMs: number;
  /** When the registering side named this token last. */
  readonly registeredAtMs: number;
  /** When it registered or took a push last, to the day. */
  readonly seenAtMs: number;
  /** Since when its token is known to be dead. */
  readonly deadSinceMs?: number;
}

/** Fingerprints by which a device is found; the store cannot get back to the values. */
export interface DeviceHashes {
  /** Of app and token, as in the log. */
  readonly tokenHash: string;
  /** Of app and user. */
  readonly userHash?: string;
  /** Of app, token, user and app_data: what makes two registrations the same device. */
  readonly identityHash: string;
  /** Of door and handle, by door. */
  readonly handleHashes: Readonly<Record<Door, string>>;
}

export interface StoredDevice {
  readonly device: Device;
  readonly hashes: DeviceHashes;
}

/**
 * Every promise rejects with `StoreUnavailableError` when the database cannot take the operation. Token,
 * user, app_data, node ids, secrets and handles are sealed at rest; each operation is one transaction.
 */
export interface DeviceStore {
  /**
   * Adds a device. Refuses, and writes nothing, if its user has `maxPerUser` devices already or there are
   * `maxDevices` in all. With `reuse`, a device of the same identity that the backend registered is returned as it is
   * stored, with its handles, and nothing is added; the caller may then update it.
   */
  addDevice(options: {
    readonly added: StoredDevice;
    readonly reuse: boolean;
    readonly maxPerUser: number;
    readonly maxDevices: number;
  }): Promise<AddedDevice>;

  /**
   * Replaces a device and its hashes; handles that are missing now are revoked, new ones are added. False if it does
   * not exist, or if another backend device has the new identity already.
   */
  replaceDevice(replaced: StoredDevice): Promise<boolean>;

  /**
   * Deletes a device with its handles and erases token and payload of its open deliveries, which end as
   * `rejected` with the reason `device_deleted`; so do those to the same token that name no device, unless another
   * device has it. False if it does not exist.
   */
  deleteDevice(options: { readonly id: string; readonly wallMs: number }): Promise<boolean>;

  findDevice(id: string): Promise<Device | undefined>;
  /** The device for which this handle was made at this door. */
  findDeviceByHandle(handleHash: string): Promise<Device | undefined>;
  /** Newest first. */
  findDevicesByUser(options: {
    readonly userHash: string;
    readonly limit: number;
  }): Promise<readonly Device[]>;

  /**
   * Deletes up to `limit` devices that have been dead since before `deadBeforeMs` or were last seen before
   * `unseenBeforeMs`, and used signatures that ended. Returns how many devices went of each kind.
   */
  pruneDevices(options: {
    readonly deadBeforeMs: number;
    readonly unseenBeforeMs: number;
    readonly nowMs: number;
    readonly wallMs: number;
    readonly limit: number;
  }): Promise<{ readonly dead: number; readonly unseen: number }>;

  /** Remembers a signature that may be used once. False if it was used before. */
  useOnce(options: {
    readonly keyHash: string;
    readonly expiresAtMs: number;
    readonly nowMs: number;
  }): Promise<boolean>;
}

export type AddedDevice =
  | { readonly kind: 'added'; readonly device: Device }
  | { readonly kind: 'known'; readonly device: Device }
  | { readonly kind: 'too_many_of_user' }
  | { readonly kind: 'too_many' };

/** The bounds of a registration; a longer or larger field is refused, never cut. */
export const DEVICE_BOUNDS = {
  userCharacters: 256,
  appDataCharacters: 1_024,
  localeCharacters: 35,
  nodeIds: 16,
  secretsPerSource: 4,
  secretCharacters: 256,
} as const;
