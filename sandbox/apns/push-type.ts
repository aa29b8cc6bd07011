// The push types of APNs: the topic each one goes to and what its payload must
// contain. Apple: "Sending notification requests to APNs", header apns-push-type.
import { z } from 'zod';
import type { ApnsReason } from './reasons.ts';

/** Push type → what follows the bundle id in the topic. */
const topicSuffixes: ReadonlyMap<string, string> = new Map([
  ['alert', ''],
  ['background', ''],
  ['controls', '.push-type.controls'],
  ['complication', '.complication'],
  ['fileprovider', '.pushkit.fileprovider'],
  ['liveactivity', '.push-type.liveactivity'],
  ['location', '.location-query'],
  ['mdm', ''],
  ['pushtotalk', '.voip-ptt'],
  ['voip', '.voip'],
  ['widgets', '.push-type.widgets'],
]);

/** The characters of a bundle id: letters, digits, hyphens and dots. */
const BUNDLE_ID = /^[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+$/;

const apsSchema = z.object({
  alert: z.union([z.string(), z.record(z.string(), z.unknown())]).optional(),
  'content-available': z.literal(1).optional(),
  sound: z.unknown().optional(),
  badge: z.unknown().optional(),
});

/**
 * Apple only recommends the header on iOS and guesses without it; here it is required,
 * because a guess can turn into a delayed or dropped push.
 */
export function checkPushType(pushType: string | undefined): ApnsReason | undefined {
  return pushType !== undefined && topicSuffixes.has(pushType) ? undefined : 'InvalidPushType';
}

/** @param allowed bundle ids of the team. */
export function checkTopic(
  topic: string | undefined,
  { pushType, allowed }: { pushType: string; allowed: readonly string[] },
): ApnsReason | undefined {
  if (topic === undefined || topic === '') return 'MissingTopic';
  if (!BUNDLE_ID.test(topic)) return 'BadTopic';
  const suffix = topicSuffixes.get(pushType) ?? '';
  const known = allowed.some((bundleId) => topic === `${bundleId}${suffix}`);
  return known ? undefined : 'TopicDisallowed';
}

/**
 * For a mismatch Apple answers with an error, delays the push or drops it; here it is always an error. An alert needs
 * `aps.alert` (a sound or badge alone would start no service extension), a background push `content-available: 1` and
 * nothing to show.
 */
export function checkPayloadFits(
  pushType: string,
  payload: Readonly<Record<string, unknown>>,
): ApnsReason | undefined {
  if (pushType !== 'alert' && pushType !== 'background') return undefined;
  const aps = apsSchema.safeParse(payload.aps);
  if (!aps.success) return 'InvalidPushType';
  const { alert, sound, badge } = aps.data;
  if (pushType === 'alert') return alert === undefined ? 'InvalidPushType' : undefined;
  const silent = alert === undefined && sound === undefined && badge === undefined;
  return silent && aps.data['content-available'] === 1 ? undefined : 'InvalidPushType';
}

/** What the phone would show: `aps.alert`, or its title. */
export function titleOf(payload: Readonly<Record<string, unknown>>): string | undefined {
  const aps = apsSchema.safeParse(payload.aps);
  if (!aps.success) return undefined;
  const { alert } = aps.data;
  if (typeof alert === 'string') return alert;
  const title = alert?.title;
  return typeof title === 'string' ? title : undefined;
}
