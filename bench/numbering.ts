// Every push of a run has a number of its own, sent as the first digits of its payment hash: the provider's side knows
// which call a push belongs to, and no two calls are duplicates.

const DIGITS = 12;
const HASH_CHARACTERS = 64;
/** The rest of the hash, so that it is as long as a real one. */
const REST = '5eed'.repeat((HASH_CHARACTERS - DIGITS) / 4);
const MARK = '"payment_hash":"';

export function paymentHash(number: number): string {
  return number.toString(16).padStart(DIGITS, '0') + REST;
}

/** The number in a JSON text that has the payment hash; `undefined` if there is none. */
export function numberIn(payload: string): number | undefined {
  const start = payload.indexOf(MARK);
  if (start < 0) return undefined;
  const from = start + MARK.length;
  const number = Number.parseInt(payload.slice(from, from + DIGITS), 16);
  return Number.isNaN(number) ? undefined : number;
}

export type Mix = 'android' | 'ios' | 'mixed';

/** In a mixed run the platforms alternate. */
export function platformOf(number: number, mix: Mix): 'android' | 'ios' {
  if (mix === 'mixed') return number % 2 === 0 ? 'android' : 'ios';
  return mix;
}

/** As long as the tokens that Google and Apple issue today. */
const ANDROID_TAIL = `:APA91b${'Zq3xV7mK9tLw2Rb8'.repeat(8)}`;
const IOS_TAIL = 'c0ffee5eed1234567890abcdef9876543210fedcba00112233445566';

/** The token of one of `phones` phones; consecutive numbers belong to different ones. */
export function tokenOf(number: number, platform: 'android' | 'ios', phones: number): string {
  const phone = (number % phones).toString(16).padStart(8, '0');
  return platform === 'ios' ? phone + IOS_TAIL : `c${phone}dQw4w9WgXcQ${ANDROID_TAIL}`;
}
