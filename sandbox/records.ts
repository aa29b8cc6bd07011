// What the sandbox remembers: every push that a phone would have got, and every
// request, the refused ones included.
import type { FcmMessage } from './fcm/message.ts';

export type ProviderName = 'apns' | 'fcm';
export type Platform = 'ios' | 'android';

/** One push that the stand-in took. */
export interface ReceivedPush {
  readonly provider: ProviderName;
  readonly platform: Platform;
  readonly token: string;
  readonly title: string | undefined;
  /** The keys beside `aps`, or FCM's `data`; what is not a string is its JSON text. */
  readonly data: Readonly<Record<string, string>>;
  /**
   * The expiration had passed when the push arrived, by the sandbox's clock: Apple takes such a push, and drops it if
   * the phone cannot be reached at once.
   */
  readonly expired: boolean;
  readonly apns?: ApnsPush;
  readonly fcm?: FcmPush;
  /** Number of the connection, from 1 per provider. */
  readonly connection: number;
  readonly receivedAtMs: number;
}

export interface ApnsPush {
  readonly id: string;
  readonly topic: string;
  readonly pushType: string;
  readonly priority: number;
  /** Epoch seconds; 0: one try, not stored; undefined: Apple decides. */
  readonly expiration: number | undefined;
  readonly collapseId: string | undefined;
  readonly payload: Readonly<Record<string, unknown>>;
}

export interface FcmPush {
  /** `projects/<id>/messages/<n>` */
  readonly name: string;
  readonly message: FcmMessage;
  readonly androidPriority: string | undefined;
  /** As sent, for instance `60s`. */
  readonly ttl: string | undefined;
}

/** One request, recorded when its answer was decided (a delayed one before it is sent). */
export interface SandboxRequest {
  readonly provider: ProviderName | 'oauth';
  readonly token: string | undefined;
  /** undefined when no status is ever sent: a hang, a reset, a refused stream. */
  readonly status: number | undefined;
  /** Apple's reason, Google's error code, or the kind of the fault; undefined on success. */
  readonly reason: string | undefined;
  /** apns-id, or FCM's message name; undefined when there is none. */
  readonly id: string | undefined;
  /** Whether a scripted fault decided the answer. */
  readonly scripted: boolean;
  readonly connection: number;
  readonly stream: number;
  readonly receivedAtMs: number;
}
