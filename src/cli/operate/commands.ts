// The commands that ask or change the running service, and `trigger`, which calls it as its callers do.

import { type Command, InvalidArgumentError, Option } from 'commander';
import { DEFAULT_APP } from '../../core/target.ts';
import { readContext } from '../context.ts';
import type { TriggerOptions } from '../trigger/trigger.ts';
import type { ListOptions } from './devices.ts';
import { addEndpoints } from './endpoint-commands.ts';
import type { SendOptions } from './send.ts';
import type { TokenOptions } from './token.ts';

const MAX_LISTED = 1_000_000;
export const DASH = '`-` reads it from standard input, which keeps it out of the shell’s history';

interface Printed {
  readonly json?: boolean;
}

type End = (exitCode: number) => void;

export function addOperatorCommands(program: Command, end: End): void {
  addPushes(program, end);
  addDevices(program, end);
  addTokens(program, end);
  addApps(program);
  addEndpoints(program, end);
}

function addPushes(program: Command, end: End): void {
  program
    .command('send')
    .description('send a test push and print the way that it took')
    .argument('<to>', `push token, handle, device id or webhook URL; ${DASH}`)
    .option('--type <type>', 'of the notification', 'payment_received')
    .option('--app <name>', 'the app of a push token')
    .addOption(platform())
    .addOption(
      new Option('--environment <name>', 'of APNs, for a token').choices(['production', 'sandbox']),
    )
    .option('--watch', 'wait for its end, and for the phone’s reply if the type asks for one')
    .option('--json', 'the result as JSON')
    .action(async (to: string, options: SendOptions) =>
      end(await (await import('./send.ts')).send(to, options, readContext())),
    );
  program
    .command('retry')
    .description('try a delivery that waits at once')
    .argument('<id>', 'of the delivery')
    .option('--json', 'the result as JSON')
    .action(async (id: string, options: Printed) =>
      (await import('./retry.ts')).retry(id, options, readContext()),
    );
  program
    .command('trigger')
    .description('call a webhook URL as one of its callers does, signed as it signs')
    .argument(
      '<caller>',
      'lspd, breez-lnurl, chain, http-nostr, boltz, lsps5, spark, spark_payment_received, standard, svix, resmic, paymentflow, payment_api, epay, or a generic source of NDS_SOURCES',
    )
    .requiredOption('--url <url>', `the webhook URL; ${DASH}`)
    .option('--type <type>', 'one of the caller’s own types')
    .option('--secret-file <file>', 'what it signs by; `-` reads it from standard input')
    .option('--app <name>', 'whose secret in NDS_SOURCES is used instead', DEFAULT_APP)
    .option('--user <key>', 'the wallet’s public key, for spark_payment_received')
    .option('--id <hex>', '64 hex digits: the same event again')
    .option('--json', 'the result as JSON')
    .action(async (caller: string, options: TriggerOptions) =>
      end(await (await import('../trigger/trigger.ts')).trigger(caller, options, readContext())),
    );
}

function addDevices(program: Command, end: End): void {
  const devices = program.command('devices').description('the registered devices');
  devices
    .command('list')
    .description('a line for each device')
    .option('--app <name>', 'of one app')
    .option('--user <user>', 'of one user')
    .option('--limit <devices>', 'how many at most', wholeNumber, 50)
    .option('--json', 'a line of JSON for each')
    .action(async (options: ListOptions) =>
      (await import('./devices.ts')).listDevices(options, readContext()),
    );
  devices
    .command('show')
    .description('what is known of a device')
    .argument('<id>', 'of the device')
    .option('--urls', 'also its webhook URLs, which are secrets')
    .option('--json', 'as JSON')
    .action(async (id: string, options: Printed & { readonly urls?: boolean }) =>
      (await import('./devices.ts')).showDevice(id, options, readContext()),
    );
  devices
    .command('revoke')
    .description('delete a device, or make the URL of one door worthless')
    .argument('<id>', 'of the device')
    .option('--door <name>', 'only the URL of this door')
    .option('--json', 'the result as JSON')
    .action(async (id: string, options: Printed & { readonly door?: string }) =>
      (await import('./devices.ts')).revokeDevice(id, options, readContext()),
    );
  devices
    .command('import')
    .description('register a device for each line of JSON; prints a line with its URLs for each')
    .argument('<file>', 'as for POST /api/v1/devices, one body a line; `-` for standard input')
    .option('--from <line>', 'go on from this line', wholeNumber, 1)
    .action(async (file: string, options: { readonly from: number }) =>
      end(await (await import('./import-devices.ts')).importDevices(file, options, readContext())),
    );
  program
    .command('forget')
    .description('delete a user’s or a token’s devices and take both out of the log')
    .argument('<known>', `user or push token; ${DASH}`)
    .option('--app <name>', 'of one app only')
    .option('--json', 'the result as JSON')
    .action(async (known: string, options: Printed & { readonly app?: string }) =>
      end(await (await import('./forget.ts')).forget(known, options, readContext())),
    );
}

function addTokens(program: Command, end: End): void {
  const token = program.command('token').description('tokens that are not sent to');
  token
    .command('show')
    .description('is it sent to, and if not, why and until when?')
    .argument('<token>', `push token; ${DASH}`)
    .option('--app <name>', 'of one app only')
    .option('--json', 'the result as JSON')
    .action(async (given: string, options: TokenOptions) =>
      end(await (await import('./token.ts')).showToken(given, options, readContext())),
    );
  token
    .command('release')
    .description('end its quarantine or hold: the next call is sent')
    .argument('<token>', `push token; ${DASH}`)
    .option('--app <name>', 'of one app only')
    .option('--json', 'the result as JSON')
    .action(async (given: string, options: TokenOptions) =>
      end(await (await import('./token.ts')).releaseToken(given, options, readContext())),
    );
}

function addApps(program: Command): void {
  const apps = program.command('apps').description('the apps of the running service');
  apps
    .command('list')
    .description('each app and provider, and whether it is ready')
    .option('--json', 'as JSON')
    .action(async (options: Printed) =>
      (await import('./apps.ts')).listApps(options, readContext()),
    );
  apps
    .command('reload')
    .description('read the files of apps, keys, sources and endpoints again, all of them or none')
    .option('--json', 'the result as JSON')
    .action(async (options: Printed) =>
      (await import('./apps.ts')).reloadApps(options, readContext()),
    );
}

function platform(): Option {
  return new Option('--platform <name>', 'of a token; its form shows it').choices([
    'ios',
    'android',
  ]);
}

export function wholeNumber(text: string): number {
  const number = Number(text);
  if (/^\d+$/.test(text) && number >= 1 && number <= MAX_LISTED) return number;
  throw new InvalidArgumentError(`It must be a whole number from 1 to ${MAX_LISTED}.`);
}
