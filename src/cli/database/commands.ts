// The commands for the database file: backup, restore, check, migrate-database, keys.

import type { Command } from 'commander';
import { readContext } from '../context.ts';
import { readEnvironment } from '../environment.ts';

interface Printed {
  readonly json?: boolean;
}

export function addDatabaseCommands(program: Command, end: (exitCode: number) => void): void {
  program
    .command('backup')
    .description('copy the database to a new file, while the service runs; without its secret')
    .argument('<file>', 'which must not exist')
    .option('--json', 'the result as JSON')
    .action(async (file: string, options: Printed) =>
      (await import('./backup.ts')).backup(file, options, readEnvironment()),
    );
  program
    .command('restore')
    .description('put a backup in the place of the database, while no service runs')
    .argument('<file>', 'the backup')
    .option('--json', 'the result as JSON')
    .action(async (file: string, options: Printed) =>
      end((await import('./restore.ts')).restore(file, options, readContext())),
    );
  program
    .command('check')
    .description('is the database sound, of this version, and opened by the secret?')
    .argument('[file]', 'a backup, instead of the database')
    .option('--json', 'the findings as JSON')
    .action(async (file: string | undefined, options: Printed) =>
      end((await import('./check.ts')).check(file, options, readEnvironment())),
    );
  program
    .command('migrate-database')
    .description(
      'copy the log and the devices to the empty PostgreSQL that NDS_DATABASE names, while no service runs',
    )
    .argument('<file>', 'the SQLite file')
    .option('--json', 'the result as JSON')
    .action(async (file: string, options: Printed) =>
      (await import('./migrate-database.ts')).migrateDatabase(file, options, readContext()),
    );
  program
    .command('keys')
    .description('the key under which the database is encrypted')
    .command('rotate')
    .description('encrypt everything under another secret, while no service runs')
    .option('--json', 'the result as JSON')
    .action(async (options: Printed) =>
      (await import('./keys.ts')).rotateKeys(options, readContext()),
    );
}
