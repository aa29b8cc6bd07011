// Encryption keys for tests.

export const KEY_A = Buffer.alloc(32, 'a');
export const KEY_B = Buffer.alloc(32, 'b');
export const KEYS = { current: KEY_A, previous: [] };
