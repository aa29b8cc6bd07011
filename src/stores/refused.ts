// Why a database is not opened, the same for every adapter: the start and the commands print the message without a stack.

export type DatabaseRefusal =
  | 'unknown_key'
  | 'corrupt_database'
  | 'migration_mismatch'
  | 'database_in_use'
  | 'unusable_location';

/**
 * The database cannot be opened as it is. `kind` says why, the message what to do, in a sentence or two: print it
 * without a stack.
 * - `unknown_key`: written under an encryption key that the configuration does not name.
 * - `corrupt_database`: not one of our databases, or damaged.
 * - `migration_mismatch`: written by another version, or its migrations were changed.
 * - `database_in_use`: another process owns it.
 * - `unusable_location`: its folder or file cannot be used.
 */
export class DatabaseRefusedError extends Error {
  override readonly name = 'DatabaseRefusedError';
  readonly kind: DatabaseRefusal;

  constructor(kind: DatabaseRefusal, message: string, options?: ErrorOptions) {
    super(message, options);
    this.kind = kind;
  }
}
