// The floor of a push: a call by node:http, a row on disk before the answer, one node:http2 session to FCM, the row
// settled afterwards. No checks, retries, limits or log. The cost of the service is given as a ratio to this.

import { createHmac, createPrivateKey, randomBytes, randomUUID, sign } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer, type IncomingMessage } from 'node:http';
import { type ClientHttp2Session, connect } from 'node:http2';
import { Worker } from 'node:worker_threads';
import { z } from 'zod';
import type { FloorWrite } from './store.ts';

const SCOPE = 'https://www.googleapis.com/auth/firebase.messaging';
const TOKEN_SECONDS = 3_600;
/** As the service: 60 s, the lifetime of a payment. */
const TTL = '60s';

/** The service's variables that the floor needs; it is started with the same ones. */
const environmentSchema = z.object({
  NOTIFY_HTTP_ADDRESS: z.string(),
  NDS_DATABASE: z.string(),
  NDS_PROVIDER_CA_FILE: z.string(),
  FCM_ENDPOINT: z.string(),
  GOOGLE_APPLICATION_CREDENTIALS_JSON: z.string(),
});
const accountSchema = z.object({
  project_id: z.string(),
  client_email: z.string(),
  private_key: z.string(),
});
const tokenSchema = z.object({ access_token: z.string() });
const bodySchema = z.object({
  template: z.string(),
  data: z.object({ payment_hash: z.string() }),
});

type Account = z.output<typeof accountSchema>;
type Push = (body: string) => Promise<{ readonly status: number; readonly text: string }>;

function request(
  session: ClientHttp2Session,
  headers: Readonly<Record<string, string>>,
  body: string,
): ReturnType<Push> {
  return new Promise((resolve) => {
    const stream = session.request({ ':method': 'POST', ...headers });
    let status = 0;
    let text = '';
    stream.setEncoding('utf8');
    stream.on('response', (answer) => {
      status = answer[':status'] ?? 0;
    });
    stream.on('data', (chunk: string) => {
      text += chunk;
    });
    stream.on('end', () => resolve({ status, text }));
    // An error ends without `end`; after `end` this changes nothing.
    stream.on('error', () => resolve({ status: 0, text }));
    stream.end(body);
  });
}

/** Google: "Using OAuth 2.0 for Server to Server Applications". */
async function fetchAccessToken(session: ClientHttp2Session, account: Account): Promise<string> {
  const iat = Math.floor(Date.now() / 1_000);
  const claims = {
    iss: account.client_email,
    scope: SCOPE,
    aud: 'https://oauth2.googleapis.com/token',
    iat,
    exp: iat + TOKEN_SECONDS,
  };
  const encode = (part: object) => Buffer.from(JSON.stringify(part)).toString('base64url');
  const unsigned = `${encode({ alg: 'RS256', typ: 'JWT' })}.${encode(claims)}`;
  const signature = sign('sha256', Buffer.from(unsigned), createPrivateKey(account.private_key));
  const form = new URLSearchParams({
    grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer',
    assertion: `${unsigned}.${signature.toString('base64url')}`,
  });
  const { text } = await request(session, { ':path': '/token' }, form.toString());
  return tokenSchema.parse(JSON.parse(text)).access_token;
}

/** Gathers the writes of one turn of the event loop into one transaction in the worker. */
function openStore(file: string): (write: FloorWrite) => Promise<void> {
  const worker = new Worker(new URL('./store.ts', import.meta.url), { workerData: { file } });
  const sent: (() => void)[][] = [];
  let batch: FloorWrite[] = [];
  let waiting: (() => void)[] = [];
  worker.on('message', () => {
    for (const resolve of sent.shift() ?? []) resolve();
  });
  const flush = () => {
    worker.postMessage(batch);
    sent.push(waiting);
    batch = [];
    waiting = [];
  };
  return (write) =>
    new Promise((resolve) => {
      batch.push(write);
      waiting.push(resolve);
      if (batch.length === 1) setImmediate(flush);
    });
}

function createHandler(push: Push, write: (write: FloorWrite) => Promise<void>) {
  const key = randomBytes(32);
  const fingerprint = (text: string) =>
    createHmac('sha256', key).update(text).digest().subarray(0, 16).toString('hex');
  return async (url: string, text: string): Promise<number> => {
    const token = new URL(url, 'http://localhost').searchParams.get('token') ?? '';
    const { template, data } = bodySchema.parse(JSON.parse(text));
    const id = randomUUID();
    const atMs = Date.now();
    const stored = write({
      kind: 'insert',
      values: [id, fingerprint(token), fingerprint(data.payment_hash), atMs],
    });
    const message = {
      token,
      data: { notification_type: template, notification_payload: JSON.stringify(data) },
      android: { priority: 'high', ttl: TTL },
    };
    const answer = await push(JSON.stringify({ message }));
    await stored;
    const now = Date.now();
    void write({ kind: 'settle', values: [now, answer.text, now - atMs, id] });
    return answer.status === 200 ? 200 : 503;
  };
}

function readText(incoming: IncomingMessage): Promise<string> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
    incoming.on('end', () => resolve(Buffer.concat(chunks).toString()));
    incoming.on('error', reject);
  });
}

async function main(): Promise<void> {
  const environment = environmentSchema.parse(process.env);
  const account = accountSchema.parse(JSON.parse(environment.GOOGLE_APPLICATION_CREDENTIALS_JSON));
  const ca = readFileSync(environment.NDS_PROVIDER_CA_FILE);
  const session = connect(environment.FCM_ENDPOINT, { ca });
  const authorization = `Bearer ${await fetchAccessToken(session, account)}`;
  const headers = {
    ':path': `/v1/projects/${account.project_id}/messages:send`,
    authorization,
    'content-type': 'application/json',
  };
  const handle = createHandler(
    (body) => request(session, headers, body),
    openStore(environment.NDS_DATABASE),
  );
  const server = createServer(async (incoming, outgoing) => {
    const text = await readText(incoming);
    const status = incoming.method === 'GET' ? 200 : await handle(incoming.url ?? '', text);
    outgoing.writeHead(status, { 'content-length': 0 }).end();
  });
  const [host = '', port = ''] = environment.NOTIFY_HTTP_ADDRESS.split(':');
  server.listen(Number(port), host);
}

await main();
