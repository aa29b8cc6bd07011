// Methods of node-apn's Notification that its own declarations leave out.

import '@parse/node-apn';

declare module '@parse/node-apn' {
  interface Notification {
    headers(): Record<string, string | number>;
    /** The JSON body; compiled once and kept. */
    compile(): string;
    /** Bytes of the JSON body. */
    length(): number;
  }
}
