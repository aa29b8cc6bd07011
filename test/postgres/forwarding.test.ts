// Replies of devices that come to a machine other than the one that asked: forwarded to its private listener, signed,
// and never twice.

import { once } from 'node:events';
import { connect, createServer, type Server } from 'node:net';
import { describe, expect, onTestFinished, test } from 'vitest';
import { forwardingKey } from '../../src/config/secret.ts';
import { FORWARDED_PATH, forwardHeaders, machineOf } from '../../src/core/answering/forwarding.ts';
import { askPhone, refusalOf, replyUrlOf, send } from '../support/callers.ts';
import { ANDROID_TOKEN } from '../support/service.ts';
import { query, SERVERS, useDatabases } from './databases.ts';
import { type Machine, startMachines } from './machines.ts';

const NODE = { NDS_NODE_ADDRESS: '127.0.0.1:0' };

describe.each(SERVERS)('PostgreSQL $major', (server) => {
  const { newDatabase } = useDatabases(server);

  /** The first machine asks a phone, which can then reply to either machine. */
  async function askedAtFirst(environment: Record<string, string> = NODE) {
    const url = await newDatabase();
    const { first, start } = await startMachines(url, environment);
    const other = await start();
    const asked = askPhone(first, { token: ANDROID_TOKEN, request: 'lnr1' });
    const [push] = await first.sandbox.waitFor(() => true, 1);
    const { pathname } = replyUrlOf(push);
    const id = pathname.slice(pathname.lastIndexOf('/') + 1);
    const machine = machineOf(id) ?? '';
    const replyAt = ({ service }: Pick<Machine, 'service'>, body: string | Uint8Array) =>
      send(service.url, { path: pathname, body });
    /** Changes the first machine's address in the table. */
    const pointTo = (address: string) =>
      query(url, `UPDATE nodes SET url = '${address}' WHERE id = '${machine}'`);
    /** Sends a reply directly to a private listener. */
    const forward = (to: string, body: string, changed: Partial<Parts> = {}) => {
      const { key, signedPath, ...addressed } = {
        key: forwardingKey(first.environment.NDS_SECRET ?? ''),
        signedPath: `${FORWARDED_PATH}${id}`,
        ...{ machine, epoch: 1, wallMs: Date.now() },
        ...changed,
      };
      const call = { method: 'POST', path: signedPath, body: Buffer.from(body) };
      const headers = key === undefined ? {} : forwardHeaders(key, call, addressed);
      return send(to, { path: `${FORWARDED_PATH}${id}`, headers, body });
    };
    return { url, first, other, start, asked, id, machine, replyAt, pointTo, forward };
  }

  interface Parts {
    readonly key: Uint8Array | undefined;
    readonly signedPath: string;
    readonly machine: string;
    readonly epoch: number;
    readonly wallMs: number;
  }

  test('reaches the caller at the other machine unchanged, once', async () => {
    const { first, other, asked, replyAt } = await askedAtFirst();
    const body = Uint8Array.from({ length: 65_536 }, (_, index) => index % 256);
    expect((await replyAt(other, body)).status).toBe(200);
    const answer = await asked.answer;
    expect(answer.status).toBe(200);
    expect(answer.bytes.equals(Buffer.from(body))).toBe(true);

    for (const machine of [other, first]) {
      expect(refusalOf(await replyAt(machine, 'again'))).toBe('404 not_found');
    }
    await first.service.settled();
    const [row] = await first.service.store.findDeliveries({ limit: 1 });
    expect(row).toMatchObject({ status: 'delivered', told: 'replied' });
    expect(other.log.lines.map(({ message }) => message)).not.toContain('reply_not_forwarded');
  });

  test('the private listener takes nothing unsigned, stale, or meant for another machine or epoch', async () => {
    const { first, other, asked, forward, replyAt } = await askedAtFirst();
    const to = first.service.nodeUrl ?? '';
    const refused = async (changed: Partial<Parts>) => {
      const { status, text } = await forward(to, 'forged', changed);
      return `${status} ${text.trimEnd()}`;
    };
    const unsigned = '401 Not signed by a machine with the same NDS_SECRET.';
    expect(await refused({ key: undefined })).toBe(unsigned);
    expect(await refused({ key: forwardingKey('another secret for tests') })).toBe(unsigned);
    expect(await refused({ signedPath: `${FORWARDED_PATH}${'x'.repeat(44)}` })).toBe(unsigned);
    expect(await refused({ wallMs: Date.now() - 35_000 })).toMatch(/^401 Signed more than 30 s/);
    expect(await refused({ wallMs: Date.now() + 35_000 })).toMatch(/^401 Signed more than 30 s/);
    expect(await refused({ machine: 'x'.repeat(22) })).toBe('409 For another machine.');
    expect(await refused({ epoch: 2 })).toMatch(/^409 For this machine before/);
    // A correctly signed reply is valid only for the first machine.
    expect((await forward(other.service.nodeUrl ?? '', 'misled')).status).toBe(409);
    expect(first.service.load()).toMatchObject({ replyCallers: 1, replyIds: 1 });

    expect((await replyAt(other, 'genuine')).status).toBe(200);
    expect((await asked.answer).text).toBe('genuine');
  });

  test('the private listener serves nothing else, and the public port takes no forwarded reply', async () => {
    const { first, asked, forward } = await askedAtFirst();
    const to = first.service.nodeUrl ?? '';
    for (const path of ['/healthz', '/api/v1/notify', '/metrics', '/replies/']) {
      expect((await send(to, { path, body: '' })).status, path).toBe(405);
    }
    const tooLarge = 'x'.repeat(65_537);
    expect((await forward(to, tooLarge)).status).toBe(413);
    expect((await forward(first.service.url, 'by the front door')).status).toBe(404);
    await asked.hangUp();
  });

  test('a forwarded reply that was recorded on the network can be sent again without effect', async () => {
    const { first, other, asked, pointTo, replyAt } = await askedAtFirst();
    const wire = await recordingWire(first.service.nodeUrl ?? '');
    await pointTo(wire.url);
    expect((await replyAt(other, 'once')).status).toBe(200);
    expect((await asked.answer).text).toBe('once');

    const recorded = wire.recorded();
    expect(recorded).toMatch(/^POST \/replies\/[\w-]{44} HTTP\/1\.1\r\n/);
    expect(await sendRaw(first.service.nodeUrl ?? '', recorded)).toMatch(/^HTTP\/1\.1 404 /);
    // Its signature does not fit another question that still waits.
    const again = askPhone(first, { token: ANDROID_TOKEN, request: 'lnr2' });
    const [, push] = await first.sandbox.waitFor(() => true, 2);
    const waiting = replyUrlOf(push).pathname.slice(-44);
    const aimed = recorded.replace(/[\w-]{44}/, waiting);
    expect(await sendRaw(first.service.nodeUrl ?? '', aimed)).toMatch(/^HTTP\/1\.1 401 /);
    expect(first.service.load()).toMatchObject({ replyCallers: 1, replyIds: 1 });
    await again.hangUp();
  });

  test('a reply that was forwarded to a wrong machine is not forwarded again, also if that machine is the sender', async () => {
    const { first, other, start, asked, pointTo, replyAt } = await askedAtFirst();
    const third = await start();
    for (const misled of [third, other]) {
      await pointTo(misled.service.nodeUrl ?? '');
      expect(refusalOf(await replyAt(other, 'astray'))).toBe('503 machine_unreachable');
    }
    expect(first.service.load()).toMatchObject({ replyCallers: 1, replyIds: 1 });
    await pointTo(first.service.nodeUrl ?? '');
    expect((await replyAt(other, 'home')).status).toBe(200);
    expect((await asked.answer).text).toBe('home');
    expect(third.log.lines.map(({ message }) => message)).not.toContain('reply_not_forwarded');
  });

  test('a machine that is dead, hangs, or has no address costs a second at most, and the log says why', async () => {
    const { url, first, other, asked, machine, pointTo, replyAt } = await askedAtFirst();
    const reasons = () =>
      other.log.lines
        .filter(({ message }) => message === 'reply_not_forwarded')
        .map(({ fields }) => fields.reason);
    const hanging = await listening(createServer(() => {}));
    const beganAtMs = performance.now();
    for (const address of ['http://127.0.0.1:1', hanging]) {
      await pointTo(address);
      const answer = await replyAt(other, 'lost');
      expect(refusalOf(answer)).toBe('503 machine_unreachable');
      expect(answer.headers['retry-after']).toBe('1');
    }
    expect(performance.now() - beganAtMs).toBeLessThan(3_000);
    await query(url, `UPDATE nodes SET url = NULL WHERE id = '${machine}'`);
    expect(refusalOf(await replyAt(other, 'lost'))).toBe('503 machine_unreachable');
    await query(url, 'ALTER TABLE nodes RENAME TO gone');
    expect(refusalOf(await replyAt(other, 'lost'))).toBe('503 machine_unreachable');
    await query(url, 'ALTER TABLE gone RENAME TO nodes');
    expect(reasons()).toEqual(['connection_failed', 'timeout', 'no_address', 'store']);

    const unknown = `/api/v1/response/${'x'.repeat(44)}`;
    const answer = await send(other.service.url, { path: unknown, body: '' });
    expect(refusalOf(answer)).toBe('404 not_found');
    await pointTo(first.service.nodeUrl ?? '');
    expect((await replyAt(other, 'after all')).status).toBe(200);
    expect((await asked.answer).text).toBe('after all');
  });

  test('without NDS_NODE_ADDRESS a reply is taken where it was asked for, and elsewhere its loss is logged', async () => {
    const { first, other, asked, replyAt } = await askedAtFirst({});
    expect(first.service.nodeUrl).toBeUndefined();
    expect(refusalOf(await replyAt(other, 'elsewhere'))).toBe('503 machine_unreachable');
    expect(other.log.lines).toContainEqual({
      level: 'warn',
      message: 'reply_not_forwarded',
      fields: { count: 1, reason: 'no_address', remedy: 'set NDS_NODE_ADDRESS on every machine' },
    });
    expect((await replyAt(first, 'here')).status).toBe(200);
    expect((await asked.answer).text).toBe('here');
  });

  test('with :PORT the others use the address by which it reaches the database', async () => {
    const { first, other, asked, replyAt } = await askedAtFirst({ NDS_NODE_ADDRESS: ':0' });
    expect(first.service.nodeUrl).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
    expect((await replyAt(other, 'found')).status).toBe(200);
    expect((await asked.answer).text).toBe('found');
  });
});

/** Passes bytes on to a machine and records what the sender sent. */
async function recordingWire(target: string) {
  const chunks: Buffer[] = [];
  const { hostname, port } = new URL(target);
  const url = await listening(
    createServer((socket) => {
      const onward = connect(Number(port), hostname);
      socket.on('data', (chunk: Buffer) => chunks.push(chunk));
      socket.on('error', () => onward.destroy());
      onward.on('error', () => socket.destroy());
      socket.pipe(onward).pipe(socket);
    }),
  );
  return { url, recorded: () => Buffer.concat(chunks).toString('latin1') };
}

async function listening(server: Server): Promise<string> {
  const sockets = new Set<{ destroy(): unknown }>();
  server.on('connection', (socket) => sockets.add(socket));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no TCP address');
  return `http://127.0.0.1:${address.port}`;
}

/** Returns the beginning of the answer. */
async function sendRaw(url: string, request: string): Promise<string> {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  socket.end(request, 'latin1');
  const [chunk] = await once(socket, 'data');
  socket.destroy();
  return String(chunk);
}
