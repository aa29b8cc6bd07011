// Notifications whose answer comes from the device: who waits for a reply, under which id, and the port by
// which a reply reaches the instance where its caller waits.

/**
 * Routes replies by id. The adapter for one process keeps them in memory; one for several instances
 * carries the bytes to the instance that opened the id.
 */
export interface ReplyExchange {
  /** Makes `id` answerable; `onReply` is called at most once. */
  open(id: string, onReply: (body: Uint8Array) => void): Promise<void> | void;
  /** The id is unknown from now on. */
  close(id: string): void;
  /** Hands a reply over. False if the id was never opened, is used or closed: the caller does not learn which. */
  deliver(id: string, body: Uint8Array): Promise<boolean>;
}

/** The exchange of a service that runs as one process. */
export class LocalReplyExchange implements ReplyExchange {
  readonly #open = new Map<string, (body: Uint8Array) => void>();

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
