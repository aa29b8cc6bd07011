// Two phones of the demo that send receipts, an iPhone and an Android, and what the log then says about their wakes.

import { describeWake } from '../../src/core/receipts/conclusion.ts';
import type { Service } from '../../src/main.ts';
import { Phone, receiptOf } from '../phones/phone.ts';
import type { Sandbox } from '../sandbox.ts';
import { formatTable } from './table.ts';

/** Wide enough for the words, narrow enough for a terminal. */
const LINE_WIDTH = 78;
const BEHAVIOUR = { wakeMs: 120, workMs: 300 };

export interface WakingPhones {
  /** Resolves when every phone has reported that it is done. */
  readonly done: Promise<unknown>;
  stop(): void;
}

/** Each phone wakes for its first payment and takes it. */
export function wakePhones(
  sandbox: Sandbox,
  clock: {
    readonly nowMs: () => number;
    readonly after: (ms: number, task: () => void) => unknown;
  },
  platforms: readonly string[],
): WakingPhones {
  const waiting = new Map(platforms.map((platform) => [platform, Promise.withResolvers<void>()]));
  const woken = new Set<string>();
  const stop = sandbox.onPush((push) => {
    const { platform, data } = push;
    const receipt = receiptOf(push);
    if (receipt === undefined || data.notification_type !== 'payment_received') return;
    if (woken.has(platform)) return;
    woken.add(platform);
    const phone = new Phone({
      nowMs: clock.nowMs,
      after: (ms, task) => void clock.after(ms, task),
      post: (address, body) => {
        const isLast = 'stage' in body && body.stage === 'done';
        const end = () => isLast && waiting.get(platform)?.resolve();
        fetch(address, { method: 'POST', body: JSON.stringify(body) }).then(end, end);
      },
    });
    phone.arrive(receipt, BEHAVIOUR);
  });
  return { done: Promise.all([...waiting.values()].map(({ promise }) => promise)), stop };
}

export async function formatWakes(service: Service): Promise<string> {
  const deliveries = await service.store.findDeliveries({ limit: 100 });
  const rows: string[][] = [];
  for (const { id, type, platform } of deliveries.toReversed()) {
    if (type !== 'payment_received') continue;
    const wake = await service.receipts.findWake(id);
    if (wake === undefined || wake.receipts.length === 0) continue;
    const [first = '', ...others] = wrap(describeWake(wake), LINE_WIDTH - 'android  '.length);
    rows.push([platform, first], ...others.map((line) => ['', line]));
  }
  return `What the phones said of their wakes\n\n${formatTable(['phone', 'woke'], rows)}\n`;
}

/** Breaks a sentence after its commas. */
function wrap(text: string, width: number): readonly string[] {
  const lines: string[] = [];
  let line = '';
  for (const part of text.split(/(?<=, )/)) {
    if (line.length + part.trimEnd().length > width) {
      lines.push(line.trimEnd());
      line = '';
    }
    line += part;
  }
  return [...lines, line];
}
