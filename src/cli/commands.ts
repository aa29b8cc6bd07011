// The commands of `nds` and their arguments; each has a file of its own, loaded only when it runs.

import { type Command, CommanderError } from 'commander';
import { readVersion } from '../service/observing/version.ts';
import { createSystemClock } from '../service/system.ts';
import { NdsCommand, withoutSecrets } from './command-line.ts';
import { addDatabaseCommands } from './database/commands.ts';
import type { DoctorOptions } from './doctor.ts';
import { readEnvironmentWithOrigin } from './environment.ts';
import { explain } from './explain.ts';
import { addLogCommands } from './log-commands.ts';
import { addOperatorCommands } from './operate/commands.ts';
import { print } from './print.ts';
import type { ConfigOptions } from './show-config.ts';
import { ArgumentError } from './standard-input.ts';

/** Returns the exit code: 0 done, 1 failed, 2 wrong arguments; `doctor` has its own. */
export async function runCommand(args: readonly string[]): Promise<number> {
  let exitCode = 0;
  const program = createProgram(args, (code) => {
    exitCode = code;
  });
  const [name = 'serve'] = args;
  try {
    await program.parseAsync(args.length === 0 ? [name] : args, { from: 'user' });
    return exitCode;
  } catch (error) {
    // The user asked for help, or the arguments were wrong and the message is already printed.
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    process.stderr.write(`nds ${name}: ${explain(error)}\n`);
    return error instanceof ArgumentError ? 2 : 1;
  }
}

function createProgram(args: readonly string[], end: (exitCode: number) => void): Command {
  const program = new NdsCommand('nds')
    .description('Turns Lightning webhooks into pushes. Without a command it serves.')
    .version(readVersion(), '--version')
    .exitOverride()
    .configureOutput({
      writeOut: print,
      outputError: (text, write) => write(withoutSecrets(text, args)),
    });
  program
    .command('serve')
    .description('run the service, configured by the environment')
    .action(async () => end(await (await import('./serve.ts')).serve()));
  addLogCommands(program, end);
  program
    .command('doctor')
    .description(
      'what is wrong? check settings, database, disk, clock, and the keys at Apple and Google',
    )
    .option('--json', 'the findings as JSON')
    .option(
      '--deploy',
      'exit with 2 only for what is proven wrong in the configuration, else with 0',
    )
    .action(async (options: DoctorOptions) =>
      end(await (await import('./doctor.ts')).doctor(options)),
    );
  addOperatorCommands(program, end);
  program
    .command('config')
    .description('what is set, where it comes from, and what is wrong with it')
    .option('--all', 'every variable, its default and what it does')
    .option('--json', 'as JSON')
    .action(async (options: ConfigOptions) =>
      end(
        await (await import('./show-config.ts')).showConfig(
          options,
          readEnvironmentWithOrigin(),
          createSystemClock(),
        ),
      ),
    );
  addDatabaseCommands(program, end);
  return program;
}
