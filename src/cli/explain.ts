// Explains an error to the operator: a sentence if the operator can fix it, the stack if it is a bug.

import { ConfigError } from '../config/config.ts';
import { DatabaseRefusedError } from '../stores/refused.ts';
import { nodeReasonOf, reasonOf } from '../stores/sqlite/errors.ts';

const DISK_FULL = 'the disk is full: free some space, or choose a folder on another volume.';
const READ_ONLY =
  'the database, its folder or the mount cannot be read or is read-only: check owner, mode and mount, or choose another folder.';

/** Why the database cannot be made or opened at start, by the code of a file operation. */
const FILE_PROBLEMS: Readonly<Record<string, string>> = {
  ENOSPC: DISK_FULL,
  EDQUOT: DISK_FULL,
  EROFS: READ_ONLY,
  EACCES: READ_ONLY,
  EPERM: READ_ONLY,
  ENOTDIR: 'a part of its path is a file where a folder is needed.',
  EEXIST: 'a part of its path is a file where a folder is needed.',
  ENOENT: 'its folder does not exist and cannot be made.',
  EISDIR: 'it is a folder: give the path of a file.',
};

/** The same, by the store's own reason. */
const STORE_PROBLEMS: Readonly<Record<string, string>> = {
  full: DISK_FULL,
  read_only: READ_ONLY,
  corrupt: 'the database is damaged: restore a backup, see docs/operating.md.',
  unreachable: 'PostgreSQL does not answer: check that it runs, and address, password and TLS.',
  locked: 'another process holds the database: end it.',
  io: 'the file cannot be opened, read or written: check that it is not a folder, and check its owner, its mode and the volume.',
};

/** Why the service cannot listen; the words follow the port. */
const LISTEN_PROBLEMS: Readonly<Record<string, string>> = {
  EADDRINUSE:
    'another program listens there. End it, or choose another port by PORT, NOTIFY_HTTP_ADDRESS, NDS_METRICS_ADDRESS or NDS_NODE_ADDRESS.',
  EADDRNOTAVAIL:
    'this machine does not have the address in NOTIFY_HTTP_ADDRESS, NDS_METRICS_ADDRESS or NDS_NODE_ADDRESS.',
  ENOTFOUND:
    'the name in NOTIFY_HTTP_ADDRESS, NDS_METRICS_ADDRESS or NDS_NODE_ADDRESS has no address.',
  EAI_AGAIN:
    'the name in NOTIFY_HTTP_ADDRESS, NDS_METRICS_ADDRESS or NDS_NODE_ADDRESS cannot be looked up.',
  EACCES:
    'only root may listen there. Choose a port above 1023 by PORT, NOTIFY_HTTP_ADDRESS, NDS_METRICS_ADDRESS or NDS_NODE_ADDRESS.',
};

/** Errors that an operator can fix are explained in sentences; all others keep their stack. */
export function explain(error: unknown): string {
  if (error instanceof ConfigError) return `${error.message}\nAll variables: nds config --all`;
  if (!(error instanceof Error)) return String(error);
  return (
    problemOf(error) ?? (isForOperator(error) ? error.message : (error.stack ?? error.message))
  );
}

function problemOf(error: Error): string | undefined {
  if (error instanceof DatabaseRefusedError) return undefined;
  const reason = reasonOf(error) ?? nodeReasonOf(error);
  if (reason !== undefined) {
    const problem = STORE_PROBLEMS[reason];
    return problem && `NDS_DATABASE: ${problem}`;
  }
  // An error that comes from the store's thread has kept only its message.
  const code =
    'code' in error ? String(error.code) : (/^(E[A-Z]+): /.exec(error.message)?.[1] ?? '');
  const syscall = 'syscall' in error ? error.syscall : undefined;
  if (syscall === 'listen' || syscall === 'getaddrinfo') {
    const problem = LISTEN_PROBLEMS[code];
    const port = 'port' in error ? ` on port ${error.port}` : '';
    return problem && `Cannot listen${port}: ${problem}`;
  }
  // The configured files were read before, so at start only the database's files are written.
  const problem = FILE_PROBLEMS[code];
  return problem && `NDS_DATABASE: ${problem}`;
}

/** Errors with a class of our own, such as the store's refusals at open, have messages for the operator. */
function isForOperator({ name }: Error): boolean {
  return name.endsWith('Error') && !(name in globalThis) && name !== 'SqliteError';
}
