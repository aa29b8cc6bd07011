// The port to the machines that share the store: their names and where they listen for each other.

export interface Peer {
  /** Absent if it does not listen for others. */
  readonly url: string | undefined;
  /** Counts up when others declare it dead. */
  readonly epoch: number;
}

/** One of the machines, as the store knows it. Times are the database's. */
export interface MachineState {
  readonly id: string;
  readonly startedAtMs: number;
  /**
   * Since its last sign of life. At most a second while it lives; from six seconds on others may take over what it
   * left.
   */
  readonly silentForMs: number;
  /** Deliveries that it has leased: others take these over if it dies. */
  readonly deliveries: number;
  /** The outages that it sees now, the earliest first. */
  readonly outages: readonly OpenOutage[];
}

export interface OpenOutage {
  readonly app: string;
  readonly provider: string;
  readonly reason: string;
  readonly beganAtMs: number;
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

/** The machines as an operator sees them. */
export interface MachineList {
  /** This machine. */
  readonly id: string;
  /** This one and all others that run or wait to be taken over, the oldest first. Rejects if the store cannot be read. */
  list(): Promise<readonly MachineState[]>;
}
