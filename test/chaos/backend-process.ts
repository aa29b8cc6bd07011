// A vendor's backend as a process of its own: answers 200 and prints every call that it got, one line of JSON each. The
// first line is its port.

import { createServer } from 'node:http';

const server = createServer(async (request, response) => {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk);
  const raw = Buffer.concat(chunks).toString();
  process.stdout.write(`${JSON.stringify({ headers: request.headers, raw })}\n`);
  response.end();
});
server.listen(0, '127.0.0.1', () => {
  const address = server.address();
  if (typeof address === 'object') process.stdout.write(`${address?.port}\n`);
});
