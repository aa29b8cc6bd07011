// Errors on their way between the threads: the structured clone keeps neither classes nor own properties.

import { StoreUnavailableError } from '../../core/ports/store.ts';
import {
  CorruptDatabaseError,
  isRefusal,
  MigrationMismatchError,
  reasonOf,
  UnknownKeyError,
} from './errors.ts';
import type { Failure } from './protocol.ts';

/** Why an operation failed. */
export function failureOf(error: unknown): Failure {
  const reason = reasonOf(error);
  const { name, message } = error instanceof Error ? error : new Error(String(error));
  return reason === undefined
    ? { kind: 'fault', name, message }
    : { kind: 'unavailable', reason, message };
}

/** Why a database was not opened. */
export function openFailureOf(error: unknown): Failure {
  if (!isRefusal(error)) return failureOf(error);
  return { kind: 'fault', name: error.name, message: error.message };
}

export function errorOf(failure: Failure): Error {
  const { kind, message } = failure;
  if (kind === 'unavailable') {
    return new StoreUnavailableError(failure.reason, { cause: new Error(message) });
  }
  switch (failure.name) {
    case 'UnknownKeyError':
      return new UnknownKeyError(message);
    case 'CorruptDatabaseError':
      return new CorruptDatabaseError(message);
    case 'MigrationMismatchError':
      return new MigrationMismatchError(message);
    default: {
      const error = new Error(message);
      error.name = failure.name;
      return error;
    }
  }
}
