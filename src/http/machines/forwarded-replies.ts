// POST /replies/:id at the private listener: replies of devices that came to another machine. They end here, delivered or not.

import { Hono } from 'hono';
import {
  FORWARDED_PATH,
  type ForwardFault,
  faultOfForwarded,
} from '../../core/answering/forwarding.ts';
import { ServiceError } from '../../core/errors.ts';
import type { Clock } from '../../core/ports/clock.ts';
import type { Observer } from '../../core/ports/observer.ts';
import type { Peers } from '../../core/ports/peers.ts';
import type { LocalReplyExchange } from '../../core/ports/replies.ts';
import type { App } from '../app.ts';
import { readBody, takesBody } from '../body.ts';
import type { HttpEnv } from '../context.ts';

export interface ForwardedRepliesParts {
  readonly key: Uint8Array;
  readonly peers: Pick<Peers, 'id' | 'epoch'>;
  readonly clock: Clock;
  /** Only this process's own replies: a forwarded reply is never forwarded again. */
  readonly exchange: LocalReplyExchange;
  readonly observer: Observer;
}

/** The sending machine cannot act on these; the texts are for an engineer who looks for the reason by hand. */
const REFUSALS: Readonly<
  Record<ForwardFault, { readonly status: 401 | 409; readonly text: string }>
> = {
  unsigned: { status: 401, text: 'Not signed by a machine with the same NDS_SECRET.\n' },
  stale: { status: 401, text: 'Signed more than 30 seconds ago or ahead: compare the clocks.\n' },
  other_machine: { status: 409, text: 'For another machine.\n' },
  other_epoch: { status: 409, text: 'For this machine before it was declared dead, or after.\n' },
};

export function createForwardedRepliesApp(parts: ForwardedRepliesParts): App {
  const { key, peers, clock, exchange, observer } = parts;
  const app = new Hono<HttpEnv>();
  app.post(`${FORWARDED_PATH}:id`, takesBody(), async (c) => {
    const body = await readBody(c);
    const { method = '', url: path = '' } = c.env.incoming;
    const call = { method, path, body, header: (name: string) => c.req.header(name) };
    const own = { machine: peers.id, epoch: peers.epoch, wallMs: clock.wallMs() };
    const fault = faultOfForwarded(key, call, own);
    if (fault !== undefined) return c.text(REFUSALS[fault].text, REFUSALS[fault].status);
    const isTaken = await exchange.deliver(c.req.param('id'), body);
    return isTaken ? c.text('') : c.text('No caller waits for a reply with this id.\n', 404);
  });
  app.notFound((c) => c.text('Only other machines of this service are served here.\n', 405));
  app.onError((cause, c) => {
    if (cause instanceof ServiceError) return c.text(`${cause.message}\n`, cause.status);
    observer.observe({ name: 'internal_fault', where: 'forwarded replies', cause });
    return c.text('The reply could not be taken; the log has the cause.\n', 500);
  });
  return app;
}
