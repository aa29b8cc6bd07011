// Notifications whose answer comes from the device: who waits for a reply, under which id, and the port by
// which a reply reaches the instance where its caller waits.

/**
 * Routes replies by id. The adapter for one process keeps them in memory; one for several instances
 * carries the bytes to the instance that opened the id.
 */
export interface ReplyExchange {
  /** An id that cannot be guessed. If several machines share a store, it names the one that will open it. */
  newId(): string;
  /** Makes `id` answerable; `onReply` is called at most once. */
  open(id: string, onReply: (body: Uint8Array) => void): Promise<void> | void;
  /** The id is unknown from now on. */
  close(id: string): void;
  /**
   * Hands a reply over. False if the id was never opened, was used or is closed; the caller does not learn which.
   * Rejects with the `ServiceError` `machine_unreachable` if the machine that opened it does not answer.
   */
  deliver(id: string, body: Uint8Array): Promise<boolean>;
}

/** The ids of this process. */
export class LocalReplyExchange implements ReplyExchange {
  readonly newId: () => string;
  readonly #open = new Map<string, (body: Uint8Array) => void>();

  constructor(newId: () => string) {
    this.newId = newId;
  }

  get size(): number {
    return this.#open.size;
  }

  open(id: string, onReply: (body: Uint8Array) => void): void {
    this.#open.set(id, onReply);
  }

  close(id: string): void {
    this.#open.delete(id);
  }

  deliver(id: string, body: Uint8Array): Promise<boolean> {
    const onReply = this.#open.get(id);
    if (onReply === undefined) return Promise.resolve(false);
    this.#open.delete(id);
    onReply(body);
    return Promise.resolve(true);
  }
}
