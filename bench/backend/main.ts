// The process of a vendor's backend: answers 200 to every event and counts them.

import { createServer } from 'node:http';
import { z } from 'zod';
import { serveParent } from '../child.ts';

let received = 0;
const server = createServer((request, response) => {
  request.resume().on('end', () => {
    received += 1;
    response.end();
  });
});

const commands = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('listen') }),
  z.object({ kind: z.literal('count') }),
]);

serveParent(commands, async ({ kind }) => {
  if (kind === 'count') return received;
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  return typeof address === 'object' ? address?.port : undefined;
});
