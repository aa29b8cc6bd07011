// What went wrong, for the operator: a sentence where he can mend it, the stack where it is our mistake.

import { ConfigError } from '../config/config.ts';

/** What listening on somebody else's address, or on a name that nobody knows, ends with. */
const NO_ADDRESS: ReadonlySet<unknown> = new Set(['EADDRNOTAVAIL', 'ENOTFOUND', 'EAI_AGAIN']);

/** The causes that an operator can mend come as sentences; anything else keeps its stack. */
export function explain(error: unknown): string {
  if (error instanceof ConfigError) return `${error.message}\nAll variables: npm run nds -- config`;
  if (!(error instanceof Error)) return String(error);
  if ('code' in error && error.code === 'EADDRINUSE') {
    return 'Its port is taken: another program listens there. End it, or choose another port: PORT or NOTIFY_HTTP_ADDRESS, for the demo --port.';
  }
  if ('code' in error && NO_ADDRESS.has(error.code)) {
    return 'This machine has no such address to listen on: mend NOTIFY_HTTP_ADDRESS.';
  }
  if ('code' in error && String(error.code).startsWith('ERR_PARSE_ARGS')) return error.message;
  if ('code' in error && error.code === 'EACCES') {
    return `${error.message}. Run it as a user that may, or change the path or port.`;
  }
  return error.name.endsWith('Error') && error.name !== 'Error' && error.name !== 'TypeError'
    ? error.message
    : (error.stack ?? error.message);
}
