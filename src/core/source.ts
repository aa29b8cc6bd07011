// What a source makes of a webhook's body: the port between the callers' formats and the core.

import type { ParsedNotification } from './notification.ts';

export type Parsed =
  | { readonly kind: 'notification'; readonly notification: ParsedNotification }
  /** Understood, and no push is due: answered 200 `ignored`. */
  | { readonly kind: 'ignored' }
  /** The caller waits for the device's reply. */
  | {
      readonly kind: 'question';
      /** What makes a repeat the same question while one waits. */
      readonly key: string;
      notification(replyUrl: string): ParsedNotification;
    };
