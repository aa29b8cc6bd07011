// The control route: scripts faults and shows what the phones got, for demos and for clients in another process. Plain
// HTTP and JSON on loopback.
import type { Server } from 'node:http';
import { createAdaptorServer, type ServerType } from '@hono/node-server';
import { type Context, Hono } from 'hono';
import { z } from 'zod';
import type { Credentials } from './credentials.ts';
import { faultRuleSchema } from './faults.ts';
import { outageSchema } from './outage.ts';
import type { ProviderName } from './records.ts';
import type { Actions, Observations } from './sandbox.ts';

const HOST = '127.0.0.1';
const MAX_LISTED = 10_000;
const DEFAULT_LISTED = 100;

const provider = z.enum(['apns', 'fcm']);
const providerSchema = z.strictObject({ provider });
const downSchema = z.strictObject({ provider, reset: z.boolean().optional() });
const goAwaySchema = z.strictObject({
  provider,
  code: z.int().min(0).optional(),
  lastStreamId: z.int().min(0).optional(),
  reason: z.string().optional(),
});
/** JSON has no Infinity. */
const ruleSchema = z.preprocess(
  (value) => (isAlways(value) ? { ...value, times: Infinity } : value),
  faultRuleSchema,
);
const outageRuleSchema = z.strictObject({ provider: provider.optional(), outage: outageSchema });
const streamsSchema = z.strictObject({ provider, maxConcurrentStreams: z.int().min(0) });
const limitSchema = z.coerce.number().int().min(1).max(MAX_LISTED).default(DEFAULT_LISTED);

function isAlways(value: unknown): value is object {
  return z.looseObject({ times: z.literal('always') }).safeParse(value).success;
}

export type Controlled = Credentials & Observations & Actions;

export interface Control {
  readonly url: string;
  close(): Promise<void>;
}

/**
 * Opens the route on 127.0.0.1. Bodies must say `content-type: application/json`; a malformed
 * one is answered 400, a rule that cannot be 409.
 *
 * - `POST /faults` `{provider?, token?, times?: number | "always", share?, fault}`: one rule
 * - `POST /faults` `{provider?, outage: {kind, retryAfterSeconds?, accepted?}}`: an outage of one
 *   provider or both
 * - `DELETE /faults`: no rule and no outage any more
 * - `GET /phones/:token`, `GET /pushes?limit=`, `GET /requests?limit=` (newest, default 100)
 * - `GET /stats`, `POST /reset`
 * - `POST /goaway` `{provider, code?, lastStreamId?, reason?}`, `POST /blackhole` `{provider}`
 * - `POST /down` `{provider, reset?}`, `POST /up` `{provider}`
 * - `POST /streams` `{provider, maxConcurrentStreams}`: on the open connections
 */
export async function openControl(sandbox: Controlled, port: number): Promise<Control> {
  const server = createAdaptorServer({ fetch: createApp(sandbox).fetch, hostname: HOST });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, HOST, resolve);
  });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('not listening on a port');
  return { url: `http://${HOST}:${address.port}`, close: () => close(server) };
}

function createApp(sandbox: Controlled): Hono {
  const app = new Hono();

  routeFaults(app, sandbox);
  app.get('/phones/:token', (context) =>
    context.json({ pushes: sandbox.received(context.req.param('token')) }),
  );
  app.get('/pushes', (context) =>
    context.json({ pushes: newest(sandbox.received(), context.req.query('limit')) }),
  );
  app.get('/requests', (context) =>
    context.json({ requests: newest(sandbox.requests(), context.req.query('limit')) }),
  );
  app.get('/stats', (context) => context.json(sandbox.stats()));
  app.post('/goaway', (context) =>
    withBody(context, goAwaySchema, (body) => sandbox.goAway(body.provider, body)),
  );
  app.post('/blackhole', (context) =>
    withBody(context, providerSchema, (body) => sandbox.blackhole(body.provider)),
  );
  app.post('/down', (context) =>
    withBody(context, downSchema, (body) =>
      sandbox.refuseConnections(body.provider, true, { reset: body.reset ?? false }),
    ),
  );
  app.post('/up', (context) =>
    withBody(context, providerSchema, (body) => sandbox.refuseConnections(body.provider, false)),
  );
  app.post('/streams', (context) =>
    withBody(context, streamsSchema, (body) =>
      sandbox.limitStreams(body.provider, body.maxConcurrentStreams),
    ),
  );
  app.post('/reset', (context) => {
    sandbox.reset();
    return context.json({ ok: true });
  });

  app.onError((error, context) => {
    const status = error instanceof z.ZodError || error instanceof SyntaxError ? 400 : 409;
    return context.json({ error: error.message }, status);
  });
  return app;
}

function routeFaults(app: Hono, sandbox: Controlled): void {
  app.post('/faults', (context) =>
    withBody(context, z.unknown(), async (body) => {
      if (typeof body !== 'object' || body === null || !('outage' in body)) {
        sandbox.script(ruleSchema.parse(body));
        return;
      }
      const { provider: only, outage } = outageRuleSchema.parse(body);
      for (const name of namesOf(only)) await sandbox.startOutage(name, outage);
    }),
  );
  app.delete('/faults', async (context) => {
    sandbox.clearFaults();
    for (const name of namesOf(undefined)) await sandbox.endOutage(name);
    return context.json({ ok: true });
  });
}

function namesOf(only: ProviderName | undefined): readonly ProviderName[] {
  return only === undefined ? ['apns', 'fcm'] : [only];
}

async function withBody<Schema extends z.ZodType>(
  context: Context,
  schema: Schema,
  act: (body: z.infer<Schema>) => void | Promise<void>,
): Promise<Response> {
  // A web page may send a form to loopback without the user's consent, but not this content type.
  if (context.req.header('content-type')?.startsWith('application/json') !== true) {
    return context.json({ error: 'the content type must be application/json' }, 415);
  }
  await act(schema.parse(await context.req.json()));
  return context.json({ ok: true });
}

function newest<Entry>(entries: readonly Entry[], limit: string | undefined): readonly Entry[] {
  return entries.slice(-limitSchema.parse(limit));
}

function close(server: ServerType): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    if (isHttp1(server)) server.closeAllConnections();
  });
}

function isHttp1(server: ServerType): server is Server {
  return 'closeAllConnections' in server;
}
