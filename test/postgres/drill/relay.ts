// A TCP relay in front of PostgreSQL for one machine, so that only this machine can be cut off from it.

import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';

/**
 * - `silent`: nothing gets through and nothing is said, as when packets are dropped; what was written arrives afterwards.
 * - `reset`: every connection is reset, and so is each new one.
 */
export type Cut = 'silent' | 'reset';

export interface Relay {
  readonly port: number;
  cut(how: Cut): void;
  heal(): void;
  /**
   * Waits until a connection has sent first one and then the other statement. The server executes the second, but the
   * connection is reset before its answer. Resolves when that is done.
   */
  loseAnswer(statements: readonly [first: string, then: string]): Promise<void>;
  close(): Promise<void>;
}

interface Pair {
  readonly client: Socket;
  readonly server: Socket;
}

export async function startRelay(toPort: number): Promise<Relay> {
  const pairs = new Set<Pair>();
  /** Connections that came during a silent cut. */
  let waiting: Socket[] = [];
  let cut: Cut | undefined;
  let losing: { readonly statements: readonly [string, string]; done(): void } | undefined;

  function join(client: Socket): void {
    const server = connect({ host: '127.0.0.1', port: toPort });
    const pair = { client, server };
    pairs.add(pair);
    for (const [one, other] of [
      [client, server],
      [server, client],
    ] as const) {
      one.setNoDelay(true);
      one.on('error', () => other.destroy());
      one.on('close', () => {
        pairs.delete(pair);
        // What was written to it is still sent. It may be paused, and would then not notice the end by itself.
        other.destroySoon();
      });
    }
    let said = '';
    client.on('data', (chunk) => {
      if (losing === undefined) return;
      said += chunk.toString('latin1');
      const { statements, done } = losing;
      const first = said.indexOf(statements[0]);
      if (first < 0 || !said.includes(statements[1], first)) return;
      losing = undefined;
      server.unpipe(client);
      server.once('data', () => {
        client.resetAndDestroy();
        done();
      });
      server.resume();
    });
    open(pair);
  }

  const listener = createServer((client) => {
    client.on('error', () => {});
    if (cut === 'reset') client.resetAndDestroy();
    else if (cut === 'silent') waiting.push(client.pause());
    else join(client);
  }).listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const address = listener.address();
  if (address === null || typeof address === 'string') throw new Error('the relay has no port');

  return {
    port: address.port,
    cut(how) {
      cut = how;
      for (const pair of pairs) {
        if (how === 'silent') shut(pair);
        else for (const socket of [pair.client, pair.server]) socket.resetAndDestroy();
      }
    },
    heal() {
      cut = undefined;
      for (const pair of pairs) open(pair);
      for (const client of waiting.splice(0)) join(client);
    },
    loseAnswer(statements) {
      return new Promise((resolve) => {
        losing = { statements, done: resolve };
      });
    },
    async close() {
      for (const { client, server } of pairs) for (const one of [client, server]) one.destroy();
      for (const client of waiting) client.destroy();
      waiting = [];
      listener.close();
      await once(listener, 'close');
    },
  };
}

function open({ client, server }: Pair): void {
  client.pipe(server);
  server.pipe(client);
}

function shut({ client, server }: Pair): void {
  client.unpipe(server).pause();
  server.unpipe(client).pause();
}
