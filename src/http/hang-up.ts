// Detects that a caller that waits for a device's reply has gone.

import type { HttpContext } from './context.ts';

/**
 * Aborted when the connection closes before the answer was sent, and when the caller ends its side while it
 * waits: in TCP that looks the same as leaving. A caller that ended its side right after the request is still there and
 * gets its answer.
 */
export function hangUpSignal({ env }: HttpContext): AbortSignal {
  const { incoming, outgoing } = env;
  const { socket } = incoming;
  const controller = new AbortController();
  const abort = () => controller.abort();
  if (outgoing.destroyed) abort();
  // An end that was sent with the request is read within the next two turns of the event loop.
  setImmediate(() => {
    setImmediate(() => {
      if (!outgoing.closed) socket.once('end', abort);
    });
  });
  outgoing.once('close', () => {
    socket.off('end', abort);
    if (!outgoing.writableFinished) abort();
  });
  return controller.signal;
}
