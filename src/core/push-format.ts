// How an app wants its pushes written: the names of its keys, the priority on Android, and the label for
// Google's delivery reports.

import { CATALOGUE } from './notification.ts';

export type Priority = 'high' | 'normal';

export interface PushFormat {
  /** Some apps read other keys than those of the Breez plugins. */
  readonly keys: {
    readonly type: string;
    readonly payload: string;
    readonly appData: string;
    /** Where the phone finds its receipt address, if the app has receipts on. */
    readonly receipt: string;
  };
  /**
   * Android's message priority by type, for apps that leave some of it to `normal`; a type that is not named has
   * its built-in one. Absent: everything is `high`.
   */
  readonly priorities?: Readonly<Record<string, Priority>> | undefined;
  /** Whether FCM counts the pushes by type. */
  readonly hasAnalyticsLabel: boolean;
}

export const DEFAULT_FORMAT: PushFormat = {
  keys: {
    type: 'notification_type',
    payload: 'notification_payload',
    appData: 'app_data',
    receipt: 'nds',
  },
  hasAnalyticsLabel: false,
};

/**
 * News that needs no action by the app. For a week Android demotes the sender of high-priority pushes that show
 * nothing ("Set and manage Android message priority").
 */
const BUILT_IN_NORMAL: ReadonlySet<string> = new Set([
  'payment_succeeded',
  'payment_failed',
  'refund_created',
]);

export function builtInPriority(type: string): Priority {
  return BUILT_IN_NORMAL.has(type) ? 'normal' : 'high';
}

export function priorityOf({ priorities }: PushFormat, type: string): Priority {
  if (priorities === undefined) return 'high';
  const own = Object.hasOwn(priorities, type) ? priorities[type] : undefined;
  return own ?? builtInPriority(type);
}

/** Types that callers name themselves share one label: Google takes 50 characters of a small alphabet. */
export function analyticsLabelOf(type: string): string {
  return Object.hasOwn(CATALOGUE, type) ? type : 'other';
}
