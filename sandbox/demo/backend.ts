// The vendor's backend: an endpoint on this machine that gets the events of a phone whose app was deleted. It verifies
// them with the library of Standard Webhooks, as any receiver does.

import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { Webhook } from 'standardwebhooks';
import { z } from 'zod';
import type { Sandbox } from '../sandbox.ts';

/** The phone whose app was deleted. */
const TOKEN = 'phone-without-the-app:APA91bDemo';
/** One says that the push was not delivered, the other that no more pushes go to the token. */
const EXPECTED_EVENTS = 2;
const PATIENCE_MS = 10_000;
const SHOWN_DIGITS = 8;

const registered = z.object({ secret: z.string() });
const eventShape = z.object({
  type: z.string(),
  data: z.object({ reason: z.string().optional(), token_sha256: z.string().optional() }),
});

interface BackendOptions {
  /** The service's address. */
  readonly url: string;
  readonly apiKey: string;
  readonly sandbox: Pick<Sandbox, 'script'>;
  readonly clock: { readonly after: (ms: number, task: () => void) => { cancel(): void } };
  readonly print: (text: string) => void;
}

export interface Backend {
  /** Calls the phone whose app was deleted. Resolves with whether both events arrived, each with a valid signature. */
  hearOfDeletedApp(): Promise<boolean>;
  close(): void;
}

/** Registers the endpoint. From then on every event is printed when it arrives. */
export async function startBackend(options: BackendOptions): Promise<Backend> {
  const { url, apiKey, sandbox, clock, print } = options;
  const { promise: heard, resolve } = Promise.withResolvers<void>();
  let secret = '';
  let verified = 0;
  const receive = (headers: IncomingHttpHeaders, body: string): number => {
    const said = read(secret, headers, body);
    print(`  backend got ${said ?? 'a call with a bad signature'}\n`);
    if (said === undefined) return 401;
    verified += 1;
    if (verified === EXPECTED_EVENTS) resolve();
    return 204;
  };
  const server = createServer((request, response) => {
    text(request)
      .then((body) => response.writeHead(receive(request.headers, body)).end())
      .catch(() => response.destroy());
  });
  await new Promise<void>((onListening) => server.listen(0, '127.0.0.1', onListening));
  const { port } = server.address() as AddressInfo;
  const answer = await fetch(`${url}/api/v1/endpoints`, {
    method: 'POST',
    headers: { authorization: `Bearer ${apiKey}`, 'content-type': 'application/json' },
    body: JSON.stringify({
      url: `http://127.0.0.1:${port}/nds`,
      description: 'the demo’s backend',
    }),
  });
  ({ secret } = registered.parse(await answer.json()));
  return {
    hearOfDeletedApp: async () => {
      const gone = { kind: 'fcm_error', error: 'UNREGISTERED' } as const;
      sandbox.script({ provider: 'fcm', token: TOKEN, times: 1, fault: gone });
      const query = new URLSearchParams({ platform: 'android', token: TOKEN });
      const body = '{"template":"payment_received","data":{"payment_hash":"5678"}}';
      await fetch(`${url}/api/v1/notify?${query}`, { method: 'POST', body });
      const patience = clock.after(PATIENCE_MS, resolve);
      await heard;
      patience.cancel();
      return verified >= EXPECTED_EVENTS;
    },
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}

/** Such as `delivery.unregistered UNREGISTERED of 1f2e3d4c…, verified`; undefined if the signature is wrong. */
function read(secret: string, headers: IncomingHttpHeaders, body: string): string | undefined {
  const given = Object.entries(headers).map(([name, value]) => [name, String(value)]);
  try {
    new Webhook(secret).verify(body, Object.fromEntries(given));
  } catch {
    return undefined;
  }
  const { type, data } = eventShape.parse(JSON.parse(body));
  const whose =
    data.token_sha256 === undefined ? '' : ` of ${data.token_sha256.slice(0, SHOWN_DIGITS)}…`;
  return `${[type, data.reason].filter(Boolean).join(' ')}${whose}, verified`;
}
