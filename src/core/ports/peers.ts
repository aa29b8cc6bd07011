// The port to the machines that share the store: who they are and where they listen for each other.

export interface Peer {
  /** Absent if it does not listen for others. */
  readonly url: string | undefined;
  /** Counts up when others declare it dead. */
  readonly epoch: number;
}

export interface Peers {
  /** This machine. */
  readonly id: string;
  readonly epoch: number;
  /** Where the others reach this machine from now on. */
  announce(url: string): Promise<void>;
  /** Absent if there is no machine of this name. Rejects if the store cannot be read. */
  find(id: string): Promise<Peer | undefined>;
}
