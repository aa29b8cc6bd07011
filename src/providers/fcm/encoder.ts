// firebase-admin as checker and encoder only: its `send()` validates a message, renames its fields and hands
// path and body to a request handler, in whose place ours stands and returns both instead of sending them.
// That handler is a private field of a pinned version: creating an encoder tries it out, and fails loudly
// if it has moved.

import { randomUUID } from 'node:crypto';
import type { Messaging, TokenMessage } from 'firebase-admin/messaging';

export interface EncodedMessage {
  readonly path: string;
  readonly body: string;
}

export interface Encoder {
  /** Rejects when firebase-admin refuses the message. */
  encode(message: TokenMessage): Promise<EncodedMessage>;
  close(): Promise<void>;
}

/** Imports firebase-admin, which takes about 100 ms and 24 MB: only for who configured FCM. */
export async function createEncoder(projectId: string): Promise<Encoder> {
  const { deleteApp, initializeApp } = await import('firebase-admin/app');
  const { getMessaging } = await import('firebase-admin/messaging');
  const app = initializeApp(
    {
      projectId,
      // Should a future version send after all, it has no credential to do so.
      credential: { getAccessToken: () => Promise.reject(new Error('this app must not send')) },
    },
    `encoder-${randomUUID()}`,
  );
  const close = () => deleteApp(app);
  try {
    const messaging = getMessaging(app);
    exchangeHandler(messaging);
    const encoder = { encode: (message: TokenMessage) => encode(messaging, message), close };
    await tryOut(encoder, projectId);
    return encoder;
  } catch (cause) {
    await close();
    throw new Error('firebase-admin is not the version this service was built for', { cause });
  }
}

const HANDLER = 'messagingRequestHandler';
const METHOD = 'invokeRequestHandler';
const SEPARATOR = '\n';

function exchangeHandler(messaging: Messaging): void {
  const handler: unknown = Reflect.get(messaging, HANDLER);
  if (typeof handler !== 'object' || handler === null || !(METHOD in handler)) {
    throw new Error(`firebase-admin has no ${HANDLER}.${METHOD}`);
  }
  Reflect.set(messaging, HANDLER, {
    // `send()` resolves with the `name` of the answer: the way by which path and body come back.
    [METHOD]: async (_host: string, path: string, request: object) => ({
      name: path + SEPARATOR + JSON.stringify(request),
    }),
  });
}

async function encode(messaging: Messaging, message: TokenMessage): Promise<EncodedMessage> {
  const encoded = await messaging.send(message);
  const end = encoded.indexOf(SEPARATOR);
  return { path: encoded.slice(0, end), body: encoded.slice(end + SEPARATOR.length) };
}

async function tryOut(encoder: Encoder, projectId: string): Promise<void> {
  const { path, body } = await encoder.encode({
    token: 'token',
    android: { priority: 'high', ttl: 1_000 },
  });
  const expected = '{"message":{"token":"token","android":{"priority":"high","ttl":"1s"}}}';
  if (path !== `/v1/projects/${projectId}/messages:send` || body !== expected) {
    throw new Error('firebase-admin encodes differently');
  }
}
