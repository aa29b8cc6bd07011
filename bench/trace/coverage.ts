// Loaded into the service's main thread before the service (`node --import`). Reports to its parent, for every POST, in
// which source files a function ran between the request's arrival and the end of its answer.

import { subscribe } from 'node:diagnostics_channel';
import { IncomingMessage } from 'node:http';
import { type Profiler, Session } from 'node:inspector';

/** What `process.send` sends to the parent. */
export interface TracedCall {
  readonly files: readonly string[];
}

const SOURCES = new URL('../../src/', import.meta.url).href;

const session = new Session();
session.connect();
session.post('Profiler.enable');
session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: false });

/** The counts since the last call; reading resets them. In one thread the session answers at once. */
function takeCoverage(): readonly Profiler.ScriptCoverage[] {
  let scripts: readonly Profiler.ScriptCoverage[] = [];
  session.post('Profiler.takePreciseCoverage', (error, { result }) => {
    if (error !== null) throw error;
    scripts = result;
  });
  return scripts;
}

/** A module's body has no name and starts where the file starts; V8 lists it like a function. */
function isBody({ functionName, ranges }: Profiler.FunctionCoverage): boolean {
  return functionName === '' && ranges[0]?.startOffset === 0;
}

function ran({ url, functions }: Profiler.ScriptCoverage): boolean {
  if (!url.startsWith(SOURCES)) return false;
  return functions.some((one) => !isBody(one) && (one.ranges[0]?.count ?? 0) > 0);
}

function isPost(message: unknown): boolean {
  const { request } = Object(message);
  return request instanceof IncomingMessage && request.method === 'POST';
}

// Node publishes the first when the request's head is read, before any of our code sees it, and the second when the
// last byte of the answer was handed to the socket.
subscribe('http.server.request.start', () => takeCoverage());
subscribe('http.server.response.finish', (message) => {
  if (!isPost(message)) return;
  const files = takeCoverage()
    .filter(ran)
    .map(({ url }) => url.slice(SOURCES.length));
  process.send?.({ files: [...new Set(files)].sort() });
});
process.channel?.unref();
