// A peer in a thread of its own, which answers while the test's thread stands still, and counts its answers.

import { createSecureServer } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { parentPort, workerData } from 'node:worker_threads';

parentPort?.once('message', (answered: Int32Array) => {
  const server = createSecureServer(workerData);
  server.on('sessionError', () => undefined);
  server.on('stream', (stream) => {
    stream.on('error', () => undefined);
    stream.respond({ ':status': 200 });
    stream.end('{}', () => {
      setImmediate(() => {
        Atomics.add(answered, 0, 1);
        Atomics.notify(answered, 0);
      });
    });
  });
  server.listen(0, '127.0.0.1', () => {
    const address: AddressInfo | string | null = server.address();
    if (typeof address === 'object') parentPort?.postMessage(address?.port);
  });
});
