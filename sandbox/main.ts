// `npm run sandbox`: the stand-ins as a process of their own. Keeps its keys in a directory, prints the
// environment that a service needs to reach it, then one line for every push that a phone would have got.

import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { type CredentialFiles, loadIdentity, writeCredentials } from './identity-store.ts';
import type { ReceivedPush } from './records.ts';
import { type Sandbox, startSandbox } from './sandbox.ts';

const HELP = `Stand-ins for APNs and FCM on loopback.

  --dir <path>           keys and credentials, reused when present (default ./data/sandbox)
  --apns-host <address>  a loopback address, default 127.0.0.1
  --fcm-host <address>   the same for FCM and Google's token endpoint
  --apns-port <number>   default 9197
  --fcm-port <number>    default 9198
  --control-port <number>  default 9199
  --help`;

/** How much of a push token is printed: enough to recognise a phone. */
const SHOWN_TOKEN_CHARACTERS = 8;

function parsePort(name: string, text: string): number {
  const port = Number(text);
  if (/^\d+$/.test(text) && port <= 65_535) return port;
  throw new Error(`--${name} must be a port number, 0 to 65535`);
}

function environmentOf(sandbox: Sandbox, files: CredentialFiles): string {
  return [
    `APNS_KEY_FILE=${files.apnsKey}`,
    `APNS_KEY_ID=${sandbox.apns.keyId}`,
    `APNS_TEAM_ID=${sandbox.apns.teamId}`,
    `APNS_TOPIC=${sandbox.apns.topic}`,
    'APNS_ENVIRONMENT=sandbox',
    `APNS_ENDPOINT=${sandbox.apns.url}`,
    `GOOGLE_APPLICATION_CREDENTIALS=${files.serviceAccount}`,
    `FCM_ENDPOINT=${sandbox.fcm.url}`,
    `NDS_PROVIDER_CA_FILE=${files.ca}`,
  ].join('\n');
}

function describe(push: ReceivedPush): string {
  const time = new Date(push.receivedAtMs).toISOString();
  const token = `${push.token.slice(0, SHOWN_TOKEN_CHARACTERS)}…`;
  const type = push.data.notification_type ?? '-';
  const late = push.expired ? ' (expired)' : '';
  return `${time} ${push.provider} ${push.platform} ${token} ${type} ${push.title ?? '-'}${late}`;
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      dir: { type: 'string', default: 'data/sandbox' },
      'apns-host': { type: 'string' },
      'fcm-host': { type: 'string' },
      'apns-port': { type: 'string', default: '9197' },
      'fcm-port': { type: 'string', default: '9198' },
      'control-port': { type: 'string', default: '9199' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    console.log(HELP);
    return;
  }
  // Absolute, so that the printed paths are right wherever the service is started.
  const directory = resolve(values.dir);
  const sandbox = await startSandbox({
    identity: await loadIdentity(directory),
    apnsHost: values['apns-host'],
    fcmHost: values['fcm-host'],
    apnsPort: parsePort('apns-port', values['apns-port']),
    fcmPort: parsePort('fcm-port', values['fcm-port']),
    controlPort: parsePort('control-port', values['control-port']),
  });
  const files = await writeCredentials(directory, sandbox);
  // Before the first line is printed: its reader may end this process at once.
  let stopping = false;
  const stop = (): void => {
    if (stopping) return;
    stopping = true;
    void sandbox.close();
  };
  process.on('SIGINT', stop);
  process.on('SIGTERM', stop);
  console.log(`${environmentOf(sandbox, files)}\n`);
  console.log(`# control route: ${sandbox.controlUrl}; end with Ctrl-C`);
  sandbox.onPush((push) => console.log(describe(push)));
}

try {
  await main();
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  if (error instanceof Error && 'code' in error && error.code === 'EADDRINUSE') {
    console.error('Another program listens there: end it, or choose other ports (--help).');
  }
  process.exitCode = 1;
}
