// Registering devices: which two registrations are the same device, who may touch it, which handles it has.
//
//   backend   knows every wallet of its vendor: the same device again keeps its handles, the quarantine of its token ends
//   app       an app key ships inside the app, so it may only add: it never reads or overwrites another device
//   self      a wallet that signed its registration: as with `app`, and its public key is its user

import { counted } from '../counted.ts';
import { ServiceError } from '../errors.ts';
import type { Clock } from '../ports/clock.ts';
import type {
  AddedDevice,
  Device,
  DeviceDetails,
  DeviceHashes,
  DeviceStore,
  Door,
  Registrar,
  StoredDevice,
} from '../ports/devices.ts';
import type { Ids } from '../ports/ids.ts';
import type { Ledger } from '../sending/ledger.ts';
import { type ApnsEnvironment, createTarget, type Recipient, tokenKey } from '../target.ts';
import type { Quarantine } from '../tokens/quarantine.ts';

/** The fields of a device that its vendor may change later. */
export type DeviceChanges = Partial<Omit<DeviceDetails, 'target'>> & {
  readonly token?: string;
  readonly appData?: string;
  readonly environment?: ApnsEnvironment | undefined;
};

export interface RegistryParts {
  readonly clock: Clock;
  readonly ids: Ids;
  readonly devices: DeviceStore;
  readonly quarantine: Quarantine;
  readonly ledger: Ledger;
  /** Every door that takes handles; a device gets a handle for each. */
  readonly doors: readonly Door[];
  readonly maxPerUser: number;
  readonly maxDevices: number;
}

/** A device as the recipient of what a source announced. */
export function recipientOf(device: Device, source: string): Recipient {
  const { target, id: deviceId, registrar, registeredAtMs, locale } = device;
  return { target, deviceId, registrar, registeredAtMs, locale, source };
}

/** The fingerprint that finds a handle, which is valid at one door only. */
export function handleKey(door: Door, handle: string): string {
  return `handle\n${door}\n${handle}`;
}

/** The fingerprint that finds a user's devices. The same user name in two apps means two users. */
export function userKey(app: string, user: string): string {
  return `user\n${app}\n${user}`;
}

export class Registry {
  readonly #parts: RegistryParts;
  /** The last change under way of each device. */
  readonly #changing = new Map<string, Promise<unknown>>();

  constructor(parts: RegistryParts) {
    this.#parts = parts;
  }

  /** Every door for which a device has a handle. */
  get doors(): readonly Door[] {
    return this.#parts.doors;
  }

  /** Adds a device, or updates and returns the backend's own device of the same identity. */
  async register(
    details: DeviceDetails,
    registrar: Registrar,
  ): Promise<{ readonly device: Device; readonly isNew: boolean }> {
    const { clock, devices, ids, maxPerUser, maxDevices } = this.#parts;
    const nowMs = clock.wallMs();
    const device: Device = {
      ...details,
      id: ids.deliveryId(),
      registrar,
      handles: this.#newHandles(),
      createdAtMs: nowMs,
      registeredAtMs: nowMs,
      seenAtMs: nowMs,
    };
    const reuse = registrar === 'backend';
    const added = await devices.addDevice({
      added: { device, hashes: this.#hashesOf(device) },
      reuse,
      maxPerUser,
      maxDevices: reuse ? maxDevices : publicShareOf(maxDevices),
    });
    if (added.kind === 'added') {
      if (reuse) await this.#pardon(device);
      return { device: added.device, isNew: true };
    }
    if (added.kind !== 'known') throw this.#tooMany(added, registrar);
    const { id } = added.device;
    return { device: await this.#inTurn(id, () => this.#refresh(id, details)), isNew: false };
  }

  async find(id: string): Promise<Device> {
    const device = await this.#parts.devices.findDevice(id);
    if (device === undefined) throw new ServiceError('unknown_device');
    return device;
  }

  async findByUser(app: string, user: string): Promise<readonly Device[]> {
    const { devices, ids, maxPerUser } = this.#parts;
    const userHash = ids.fingerprint(userKey(app, user));
    return await devices.findDevicesByUser({ userHash, limit: maxPerUser });
  }

  /** Changes a device; a new token starts with a clean slate. */
  change(id: string, changes: DeviceChanges): Promise<Device> {
    return this.#inTurn(id, () => this.#change(id, changes));
  }

  /** Revokes the URL of one door; the others stay. */
  revokeHandle(id: string, door: Door): Promise<void> {
    return this.#inTurn(id, async () => {
      const device = await this.find(id);
      if (!Object.hasOwn(device.handles, door)) throw new ServiceError('unknown_handle');
      const { [door]: _revoked, ...handles } = device.handles;
      await this.#replace({ ...device, handles });
    });
  }

  /** Makes a new URL for one door; the old one is invalid from now on. */
  async renewHandle(id: string, door: Door): Promise<Device> {
    if (!this.#parts.doors.includes(door)) throw new ServiceError('unknown_source');
    return await this.#inTurn(id, async () => {
      const device = await this.find(id);
      const handles = { ...device.handles, [door]: this.#parts.ids.secret() };
      const renewed: Device = { ...device, handles };
      await this.#replace(renewed);
      return renewed;
    });
  }

  async remove(id: string): Promise<void> {
    const wallMs = this.#parts.clock.wallMs();
    if (!(await this.#parts.devices.deleteDevice({ id, wallMs }))) {
      throw new ServiceError('unknown_device');
    }
  }

  async #change(id: string, changes: DeviceChanges): Promise<Device> {
    const device = await this.find(id);
    await this.#requireRoom(device, changes.user);
    const { token, appData, environment, ...others } = changes;
    const target = createTarget({
      ...device.target,
      token: token ?? device.target.token,
      appData: appData ?? device.target.appData,
      environment: environment ?? device.target.environment,
    });
    const { deadSinceMs, ...alive } = device;
    const isRotated = tokenKey(target) !== tokenKey(device.target);
    const nowMs = this.#parts.clock.wallMs();
    const changed: Device = {
      ...(isRotated ? { ...alive, registeredAtMs: nowMs, seenAtMs: nowMs } : device),
      ...others,
      target,
    };
    await this.#replace(changed);
    if (isRotated) await this.#pardon(changed);
    return changed;
  }

  /** If a change gives a device to another user, that user's limit applies as for a registration. */
  async #requireRoom({ target, user: owner }: Device, user: string | undefined): Promise<void> {
    if (user === undefined || user === owner) return;
    const ofUser = await this.findByUser(target.app, user);
    if (ofUser.length >= this.#parts.maxPerUser)
      throw this.#tooMany({ kind: 'too_many_of_user' }, 'backend');
  }

  /**
   * A change reads, modifies and writes a device. Two changes at once would undo each other and could restore a revoked
   * URL, so the changes of one device run one after the other.
   */
  async #inTurn<Result>(id: string, work: () => Promise<Result>): Promise<Result> {
    const before = this.#changing.get(id) ?? Promise.resolve();
    const turn = before.then(work, work);
    this.#changing.set(id, turn);
    try {
      return await turn;
    } finally {
      if (this.#changing.get(id) === turn) this.#changing.delete(id);
    }
  }

  /** The backend registered a device again: the new fields replace the old ones, the handles stay. */
  async #refresh(id: string, details: DeviceDetails): Promise<Device> {
    const known = await this.find(id);
    const nowMs = this.#parts.clock.wallMs();
    const missing = Object.entries(this.#newHandles()).filter(
      ([door]) => !Object.hasOwn(known.handles, door),
    );
    const device: Device = {
      ...details,
      id,
      registrar: known.registrar,
      handles: { ...known.handles, ...Object.fromEntries(missing) },
      createdAtMs: known.createdAtMs,
      registeredAtMs: nowMs,
      seenAtMs: nowMs,
    };
    await this.#replace(device);
    await this.#pardon(device);
    return device;
  }

  async #replace(device: Device): Promise<void> {
    const replaced: StoredDevice = { device, hashes: this.#hashesOf(device) };
    if (await this.#parts.devices.replaceDevice(replaced)) return;
    await this.find(device.id);
    throw new ServiceError('device_exists');
  }

  /** The vendor vouches for the token: what a provider said about it earlier is forgotten. */
  async #pardon({ target }: Device): Promise<void> {
    const tokenHash = this.#parts.ids.fingerprint(tokenKey(target));
    this.#parts.quarantine.release(tokenHash);
    await this.#parts.ledger.pardon([tokenHash]);
  }

  #newHandles(): Readonly<Record<Door, string>> {
    return Object.fromEntries(this.#parts.doors.map((door) => [door, this.#parts.ids.secret()]));
  }

  #hashesOf(device: Device): DeviceHashes {
    const { ids } = this.#parts;
    const { target, user, handles } = device;
    const { app, token, appData } = target;
    const identity = JSON.stringify(['device', app, token, user ?? null, appData ?? null]);
    return {
      tokenHash: ids.fingerprint(tokenKey(target)),
      userHash: user === undefined ? undefined : ids.fingerprint(userKey(app, user)),
      identityHash: ids.fingerprint(identity),
      handleHashes: Object.fromEntries(
        Object.entries(handles).map(([door, handle]) => [
          door,
          ids.fingerprint(handleKey(door, handle)),
        ]),
      ),
    };
  }

  #tooMany(
    refused: Exclude<AddedDevice, { readonly device: Device }>,
    registrar: Registrar,
  ): ServiceError {
    const { maxPerUser, maxDevices } = this.#parts;
    let detail = `The service holds ${counted(maxDevices, 'device', 'devices')} (NDS_MAX_DEVICES).`;
    const limit = refused.kind === 'too_many_of_user' ? 'max_devices_per_user' : 'max_devices';
    if (refused.kind === 'too_many_of_user') {
      detail = `A user may have ${counted(maxPerUser, 'device', 'devices')} (NDS_MAX_DEVICES_PER_USER).`;
    } else if (registrar !== 'backend') {
      detail = `The service holds ${publicShareOf(maxDevices)} devices; the last tenth of NDS_MAX_DEVICES is reserved for the backend.`;
    }
    return new ServiceError('too_many_devices', { detail, limit });
  }
}

/**
 * App keys ship inside apps and anybody can sign: registrations without the backend's key fill at most nine tenths of
 * the registry.
 */
function publicShareOf(maxDevices: number): number {
  return maxDevices - Math.ceil(maxDevices / 10);
}
