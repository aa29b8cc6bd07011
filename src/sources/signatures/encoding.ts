// Signatures and keys as text: strict decoding to bytes, so that bytes are compared and never their spelling.

import { base64, base64url, codec } from 'rfc4648';

export type SignatureEncoding = 'hex' | 'base64' | 'base64url';

const HEX = /^(?:[0-9a-f]{2})*$/i;
/** Philip Zimmermann's human-oriented base 32. */
const ZBASE32 = { chars: 'ybndrfg8ejkmcpqxot1uwisza345h769', bits: 5 };
const LETTERS_AND_DIGITS = /^[0-9a-z]*$/i;

/** Undefined unless the whole text is in that encoding; hex may be in either case. */
export function decodeText(text: string, encoding: SignatureEncoding): Uint8Array | undefined {
  switch (encoding) {
    case 'hex':
      return HEX.test(text) ? Buffer.from(text, 'hex') : undefined;
    case 'base64':
      return decode(() => base64.parse(text));
    case 'base64url':
      // Many senders of this alphabet leave the padding out.
      return decode(() => base64url.parse(text, { loose: !text.includes('=') }));
  }
}

/** Without padding, which zbase32 does not have, and in either case, as lightning-liquidity decodes it. */
export function decodeZbase32(text: string): Uint8Array | undefined {
  if (!LETTERS_AND_DIGITS.test(text)) return undefined;
  return decode(() => codec.parse(text.toLowerCase(), ZBASE32, { loose: true }));
}

export type SecretEncoding = 'text' | 'base64' | 'hex';

/** Standard Webhooks and Svix show secrets with this before their base64. */
const WHSEC = 'whsec_';

/** The bytes of a secret as it is configured; undefined if it is not written so, or empty. */
export function decodeSecret(secret: string, encoding: SecretEncoding): Uint8Array | undefined {
  if (encoding === 'text') return Buffer.from(secret);
  const isPrefixed = encoding === 'base64' && secret.startsWith(WHSEC);
  const bytes = decodeText(isPrefixed ? secret.slice(WHSEC.length) : secret, encoding);
  return bytes?.length === 0 ? undefined : bytes;
}

/** What is wrong with a secret, for the operator who configures it; never quotes it. */
export function faultOfEncodedSecret(secret: string, encoding: SecretEncoding): string | undefined {
  if (decodeSecret(secret, encoding) !== undefined) return undefined;
  return encoding === 'hex' ? 'must be hex' : 'must be base64, with or without whsec_ before it';
}

function decode(parse: () => Uint8Array): Uint8Array | undefined {
  try {
    return parse();
  } catch {
    // The library's text quotes the character that does not fit, which must not get into a log.
    return undefined;
  }
}
