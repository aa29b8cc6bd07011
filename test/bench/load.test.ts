// The hand-written caller: it must read what servers write, and its calls must be as the APIs expect them.

import { once } from 'node:events';
import { createServer } from 'node:http';
import { expect, onTestFinished, test } from 'vitest';
import { requestOf } from '../../bench/load/calls.ts';
import { type Answer, CallerConnection, parseAnswer } from '../../bench/load/connection.ts';
import { outcomeOf } from '../../bench/load/record.ts';

const OPTIONS = { mix: 'ios', phones: 10, topic: 'com.example.wallet' } as const;

test('reads an answer once it is complete, by its length or its last chunk', () => {
  const head = 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n';
  expect(parseAnswer('HTTP/1.1 200')).toBeUndefined();
  expect(parseAnswer(`${head}hell`)).toBeUndefined();
  expect(parseAnswer(`${head}hello`)).toEqual({ status: 200, deliveryStatus: undefined });
  const chunked = 'HTTP/1.1 503 No\r\ntransfer-encoding: chunked\r\n\r\n';
  expect(parseAnswer(`${chunked}2\r\nno\r\n`)).toBeUndefined();
  expect(parseAnswer(`${chunked}2\r\nno\r\n0\r\n\r\n`)).toMatchObject({ status: 503 });
});

test('reads the delivery’s status from the header', () => {
  const answer =
    'HTTP/1.1 200 OK\r\nDelivery-Id: 1\r\nDelivery-Status: queued\r\nContent-Length: 0\r\n\r\n';
  expect(parseAnswer(answer)).toEqual({ status: 200, deliveryStatus: 'queued' });
});

test('counts 200 as accepted, any other status as refused, and no status as broken', () => {
  expect([200, 201, 400, 429, 503, 0].map(outcomeOf)).toEqual([
    'accepted',
    'refused',
    'refused',
    'refused',
    'refused',
    'broken',
  ]);
});

test('sends one request after the other over one connection', async () => {
  const seen: string[] = [];
  const server = createServer(async (request, response) => {
    let body = '';
    for await (const chunk of request) body += chunk;
    seen.push(`${request.method} ${request.url?.split('?')[0]} ${body}`);
    response.end();
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  const connection = new CallerConnection(address.port, '127.0.0.1');
  onTestFinished(() => {
    connection.close();
    server.close();
  });
  const call = (number: number) =>
    new Promise<Answer>((resolve) =>
      connection.send(requestOf(number, { ...OPTIONS, api: 'breez' }), resolve),
    );
  expect((await call(1)).status).toBe(200);
  expect((await call(2)).status).toBe(200);
  expect(seen).toHaveLength(2);
  expect(seen[0]).toMatch(
    /^POST \/api\/v1\/notify \{"template":"payment_received","data":\{"payment_hash":"0{11}1/,
  );
});

test('reports a broken connection as no answer', async () => {
  const server = createServer((request) => request.socket.destroy()).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  const connection = new CallerConnection(address.port, '127.0.0.1');
  onTestFinished(() => {
    server.close();
  });
  const answer = await new Promise<Answer>((resolve) =>
    connection.send(requestOf(1, { ...OPTIONS, api: 'breez' }), resolve),
  );
  expect(answer.status).toBe(0);
  expect(connection.usable).toBe(false);
});

test('asks gorush for the same push', () => {
  const request = requestOf(1, { ...OPTIONS, api: 'gorush' });
  const body: unknown = JSON.parse(request.slice(request.indexOf('\r\n\r\n')));
  expect(body).toMatchObject({
    notifications: [{ platform: 1, topic: 'com.example.wallet', mutable_content: true }],
  });
});
