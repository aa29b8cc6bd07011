// What an operator does about a database that fails, by the reason that the store gives.

const REMEDIES: Readonly<Record<string, string>> = {
  full: 'the disk is full: free some space or enlarge the volume',
  locked: 'another process holds the database: end it',
  read_only:
    'the database file or its folder is read-only: check owner and mount (PostgreSQL: this is a standby)',
  moved:
    'the database file or its -wal was moved, deleted or replaced while the service runs: put it back or restart the service',
  corrupt: 'the database is damaged: stop the service and restore a backup, see docs/operating.md',
  unreachable:
    'PostgreSQL does not answer: check that it runs, and address, password and TLS in NDS_DATABASE',
  busy: 'the disk, or PostgreSQL, does not keep up with the deliveries',
  io: 'the disk fails to read or write: check the volume',
};

export function storeRemedy(reason: string): string {
  return REMEDIES[reason] ?? reason;
}
