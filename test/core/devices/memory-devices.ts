// The DeviceStore port in memory, as far as the registry uses it.

import type {
  AddedDevice,
  Device,
  DeviceStore,
  StoredDevice,
} from '../../../src/core/ports/devices.ts';

export class MemoryDevices implements DeviceStore {
  readonly #devices = new Map<string, StoredDevice>();
  /** Each operation takes a turn of the event loop, so that two at once can meet. */
  readonly #turn = () => new Promise<void>((resolve) => setImmediate(resolve));

  async addDevice({
    added,
    reuse,
    maxPerUser,
    maxDevices,
  }: Parameters<DeviceStore['addDevice']>[0]): Promise<AddedDevice> {
    await this.#turn();
    const { userHash } = added.hashes;
    const known = reuse ? this.#ownedTwin(added) : undefined;
    if (known !== undefined) return { kind: 'known', device: known.device };
    if (this.#devices.size >= maxDevices) return { kind: 'too_many' };
    if (userHash !== undefined && this.#ofUser(userHash).length >= maxPerUser) {
      return { kind: 'too_many_of_user' };
    }
    this.#devices.set(added.device.id, added);
    return { kind: 'added', device: added.device };
  }

  async replaceDevice(replaced: StoredDevice): Promise<boolean> {
    await this.#turn();
    const twin = this.#ownedTwin(replaced);
    if (!this.#devices.has(replaced.device.id)) return false;
    if (twin !== undefined && twin.device.id !== replaced.device.id) return false;
    this.#devices.set(replaced.device.id, replaced);
    return true;
  }

  async deleteDevice({ id }: { readonly id: string }): Promise<boolean> {
    await this.#turn();
    return this.#devices.delete(id);
  }

  async findDevice(id: string): Promise<Device | undefined> {
    await this.#turn();
    return this.#devices.get(id)?.device;
  }

  async findDeviceByHandle(handleHash: string): Promise<Device | undefined> {
    await this.#turn();
    const found = [...this.#devices.values()].find(({ hashes }) =>
      Object.values(hashes.handleHashes).includes(handleHash),
    );
    return found?.device;
  }

  async findDevicesByUser({ userHash, limit }: { userHash: string; limit: number }) {
    await this.#turn();
    return this.#ofUser(userHash).slice(0, limit);
  }

  pruneDevices() {
    return Promise.resolve({ dead: 0, unseen: 0 });
  }

  useOnce() {
    return Promise.resolve(true);
  }

  #ofUser(userHash: string): readonly Device[] {
    return [...this.#devices.values()]
      .filter(({ hashes }) => hashes.userHash === userHash)
      .map(({ device }) => device);
  }

  #ownedTwin({ hashes }: StoredDevice): StoredDevice | undefined {
    return [...this.#devices.values()].find(
      (stored) =>
        stored.device.registrar === 'backend' && stored.hashes.identityHash === hashes.identityHash,
    );
  }
}
