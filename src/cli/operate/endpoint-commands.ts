// `nds endpoints …` and the arguments of each.

import { type Command, Option } from 'commander';
import { readContext } from '../context.ts';
import type { RedeliverOptions } from './endpoint-calls.ts';
import type { Changes } from './endpoints.ts';

const MAX_ATTEMPTS = 100;
const EVENTS = 'separated by commas, such as `delivery.*,device.silent`; `*` for all';
const OF_ENDPOINT = 'of the endpoint';

interface Printed {
  readonly json?: boolean;
}

export function addEndpoints(program: Command, end: (exitCode: number) => void): void {
  const endpoints = program.command('endpoints').description('where events are sent');
  addRegistered(endpoints);
  addSending(endpoints, end);
}

function addRegistered(endpoints: Command): void {
  endpoints
    .command('add')
    .description('register an endpoint; prints its secret, which is not shown again')
    .argument(
      '<url>',
      'https URL that is called, or e-mail address; `-` reads it from standard input',
    )
    .option('--events <names>', EVENTS)
    .option('--app <name>', 'events of one app only')
    .addOption(digest())
    .option('--description <text>', 'shown in the list')
    .option('--json', 'as JSON')
    .action(async (url: string, options: Printed & Changes) =>
      (await import('./endpoints.ts')).addEndpoint(url, options, readContext()),
    );
  endpoints
    .command('list')
    .description('a line for each endpoint')
    .option('--json', 'a line of JSON for each')
    .action(async (options: Printed) =>
      (await import('./endpoints.ts')).listEndpoints(options, readContext()),
    );
  endpoints
    .command('show')
    .description('what is known of an endpoint, without its secret')
    .argument('<id>', OF_ENDPOINT)
    .option('--json', 'as JSON')
    .action(async (id: string, options: Printed) =>
      (await import('./endpoints.ts')).showEndpoint(id, options, readContext()),
    );
  endpoints
    .command('update')
    .description('change an endpoint, stop it, or let it go on')
    .argument('<id>', OF_ENDPOINT)
    .option('--url <url>', 'where events go from now on')
    .option('--events <names>', EVENTS)
    .option('--app <name>', 'events of this app only')
    .addOption(digest())
    .option('--description <text>', 'shown in the list')
    .addOption(
      new Option('--status <status>', 'enabled: from the oldest event that is kept').choices([
        'enabled',
        'disabled',
      ]),
    )
    .option('--json', 'as JSON')
    .action(async (id: string, options: Printed & Changes) =>
      (await import('./endpoints.ts')).updateEndpoint(id, options, readContext()),
    );
  endpoints
    .command('delete')
    .description('delete an endpoint')
    .argument('<id>', OF_ENDPOINT)
    .option('--json', 'the result as JSON')
    .action(async (id: string, options: Printed) =>
      (await import('./endpoints.ts')).deleteEndpoint(id, options, readContext()),
    );
  endpoints
    .command('rotate')
    .description('print a new secret; for 24 hours events are signed by the earlier one, too')
    .argument('<id>', OF_ENDPOINT)
    .option('--json', 'as JSON')
    .action(async (id: string, options: Printed) =>
      (await import('./endpoints.ts')).rotateSecret(id, options, readContext()),
    );
}

function digest(): Option {
  return new Option('--digest <period>', 'of an e-mail address').choices(['hourly', 'daily']);
}

function addSending(endpoints: Command, end: (exitCode: number) => void): void {
  endpoints
    .command('test')
    .description('send the event test.ping now, and print what came of it')
    .argument('<id>', OF_ENDPOINT)
    .option('--json', 'the result as JSON')
    .action(async (id: string, options: Printed) =>
      end(await (await import('./endpoint-calls.ts')).testEndpoint(id, options, readContext())),
    );
  endpoints
    .command('attempts')
    .description(`the last calls, ${MAX_ATTEMPTS} at most, newest first`)
    .argument('<id>', OF_ENDPOINT)
    .option('--json', 'a line of JSON for each')
    .action(async (id: string, options: Printed) =>
      (await import('./endpoint-calls.ts')).listAttempts(id, options, readContext()),
    );
  endpoints
    .command('redeliver')
    .description('send an event again now, or go back and send everything since then again')
    .argument('<id>', OF_ENDPOINT)
    .argument('[event]', 'its id, as `attempts` prints it')
    .option('--since <when>', 'instead of an event: 15m, 2h, or 2026-11-26T03:00:00Z')
    .option('--json', 'the result as JSON')
    .action(async (id: string, event: string | undefined, options: RedeliverOptions) =>
      end(
        await (await import('./endpoint-calls.ts')).redeliver(
          id,
          { ...options, event },
          readContext(),
        ),
      ),
    );
}
