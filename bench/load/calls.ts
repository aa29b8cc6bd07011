// What the callers send: one request for each notification, ready to be written, in the format of the measured API.

import { type Mix, paymentHash, platformOf, tokenOf } from '../numbering.ts';

export type Api = 'breez' | 'gorush';

export interface CallOptions {
  readonly api: Api;
  readonly mix: Mix;
  /** How many phones there are; each call goes to the next one. */
  readonly phones: number;
  /** APNs topic, which gorush requires in each call. */
  readonly topic: string;
}

/** The bytes of one HTTP/1.1 request, all of them ASCII. */
export function requestOf(number: number, options: CallOptions): string {
  return options.api === 'breez' ? breezCall(number, options) : gorushCall(number, options);
}

/** As lspd posts an incoming payment. */
function breezCall(number: number, { mix, phones }: CallOptions): string {
  const platform = platformOf(number, mix);
  const token = encodeURIComponent(tokenOf(number, platform, phones));
  const body = `{"template":"payment_received","data":{"payment_hash":"${paymentHash(number)}"}}`;
  return post(`/api/v1/notify?platform=${platform}&token=${token}`, body);
}

/** gorush: `POST /api/push`; platform 1 is iOS, 2 is Android. The phone gets the same keys. */
function gorushCall(number: number, { mix, phones, topic }: CallOptions): string {
  const platform = platformOf(number, mix);
  const tokens = [tokenOf(number, platform, phones)];
  const data = {
    notification_type: 'payment_received',
    notification_payload: `{"payment_hash":"${paymentHash(number)}"}`,
  };
  const notification =
    platform === 'ios'
      ? { tokens, platform: 1, topic, title: 'Incoming payment', mutable_content: true, data }
      : { tokens, platform: 2, priority: 'high', data };
  return post('/api/push', JSON.stringify({ notifications: [notification] }));
}

function post(path: string, body: string): string {
  return `POST ${path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`;
}
