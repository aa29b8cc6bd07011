import { createHash } from 'node:crypto';
import { secp256k1 } from '@noble/curves/secp256k1.js';
import { expect, test } from 'vitest';
import { decodeZbase32 } from '../../src/sources/signatures/encoding.ts';
import { findSigner } from '../../src/sources/signatures/lightning-message.ts';
import fc from '../support/properties.ts';
import { doubleHash, nodeIdOf, signLightning, zbase32 } from './calls.ts';

/** Vectors of lightningdevkit's message_signing.rs, three of which it has from Core Lightning. */
const VECTORS = [
  {
    message: 'test message',
    signature:
      'd9tibmnic9t5y41hg7hkakdcra94akas9ku3rmmj4ag9mritc8ok4p5qzefs78c9pqfhpuftqqzhydbdwfg7u6w6wdxcqpqn4sj4e73e',
    nodeId: '0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798',
  },
  {
    message: 'is this compatible?',
    signature:
      'rbgfioj114mh48d8egqx8o9qxqw4fmhe8jbeeabdioxnjk8z3t1ma1hu1fiswpakgucwwzwo6ofycffbsqusqdimugbh41n1g698hr9t',
    nodeId: '02b80cabdf82638aac86948e4c06e82064f547768dcef977677b9ea931ea75bab5',
  },
  {
    message: 'hi',
    signature:
      'rnrphcjswusbacjnmmmrynh9pqip7sy5cx695h6mfu64iac6qmcmsd8xnsyczwmpqp9shqkth3h4jmkgyqu5z47jfn1q7gpxtaqpx4xg',
    nodeId: '02de60d194e1ca5947b59fe8e2efd6aadeabfb67f2e89e13ae1a799c1e08e4a43b',
  },
  {
    message: 'hi',
    signature:
      'ry8bbsopmduhxy3dr5d9ekfeabdpimfx95kagdem7914wtca79jwamtbw4rxh69hg7n6x9ty8cqk33knbxaqftgxsfsaeprxkn1k48p3',
    nodeId: '022b8ece90ee891cbcdac0c1cc6af46b73c47212d8defbce80265ac81a6b794931',
  },
];

const MESSAGE = Buffer.from('Wake up');
const SECRET = Buffer.alloc(32, 0x42);
const NODE_ID = nodeIdOf(SECRET);
const SIGNATURE = signLightning(MESSAGE, SECRET);

const secretKeys = fc
  .uint8Array({ minLength: 32, maxLength: 32 })
  .filter((bytes) => secp256k1.utils.isValidSecretKey(bytes));
const RUNS = { numRuns: 60 };

function signer(signature: Uint8Array | string, message: Uint8Array = MESSAGE, ids = [NODE_ID]) {
  const text = typeof signature === 'string' ? signature : zbase32(signature);
  return findSigner(message, text, ids);
}

test.each(VECTORS)('recovers the node of the published signature over "$message"', (vector) => {
  const message = Buffer.from(vector.message);
  const others = VECTORS.map(({ nodeId }) => nodeId);
  expect(signer(vector.signature, message, others)).toBe(vector.nodeId);
  expect(signer(vector.signature, message, [NODE_ID])).toBeUndefined();
});

test('takes what LND and LDK would sign, byte for byte', () => {
  const one = Buffer.from('1'.padStart(64, '0'), 'hex');
  const vector = VECTORS[0];
  expect(zbase32(signLightning('test message', one))).toBe(vector?.signature);
});

test('reads the vectors of zbase32', () => {
  // From the test of lightningdevkit's base32.rs.
  expect(decodeZbase32('6im5sdy')).toEqual(Uint8Array.of(0xf5, 0x57, 0xbb, 0x0c));
  expect(decodeZbase32('4t7ye')).toEqual(Uint8Array.of(0xd4, 0x7a, 0x04));
  expect(decodeZbase32('yy')).toEqual(Uint8Array.of(0));
  for (const wrong of ['l1', '00', '?y', '=', 'y=', 'K\u212a', 'yyy']) {
    expect(decodeZbase32(wrong), wrong).toBeUndefined();
  }
});

test('takes the same signature, and the same node id, in upper case', () => {
  expect(signer(zbase32(SIGNATURE).toUpperCase())).toBe(NODE_ID);
  expect(signer(SIGNATURE, MESSAGE, [NODE_ID.toUpperCase()])).toBe(NODE_ID);
});

test('takes the other s of a signature only with the other recovery id', () => {
  for (const id of [27, 28, 29, 30, 31, 32, 33, 34, 35]) {
    const malleated = malleate(SIGNATURE, id);
    const isOther = id === 31 + ((headerOf(SIGNATURE) - 31) ^ 1);
    expect(signer(malleated), String(id)).toBe(isOther ? NODE_ID : undefined);
  }
});

test('refuses the recovery ids of uncompressed keys and those beyond 3', () => {
  for (let header = 0; header < 256; header += 1) {
    const changed = Uint8Array.of(header, ...SIGNATURE.slice(1));
    expect(signer(changed), String(header)).toBe(
      header === headerOf(SIGNATURE) ? NODE_ID : undefined,
    );
  }
});

test('refuses numbers outside the group, and zero', () => {
  const order = Buffer.from(secp256k1.Point.Fn.ORDER.toString(16), 'hex');
  const zero = Buffer.alloc(32);
  for (const r of [SIGNATURE.slice(1, 33), order, zero, Buffer.alloc(32, 0xff)]) {
    for (const s of [order, zero, Buffer.alloc(32, 0xff)]) {
      expect(signer(Uint8Array.of(headerOf(SIGNATURE), ...r, ...s))).toBeUndefined();
    }
  }
});

test('refuses signatures that are too short, too long, empty or not zbase32', () => {
  const text = zbase32(SIGNATURE);
  const wrong = [text.slice(1), text.slice(0, -1), `${text}y`, `${text}yyyyyyyy`, '', ` ${text}`];
  for (const bad of [...wrong, `${text.slice(0, -1)}l`, `${text.slice(0, -1)}=`, '='.repeat(104)]) {
    expect(signer(bad), bad).toBeUndefined();
  }
});

test('ignores node ids that are invalid', () => {
  const ids = ['', 'zz', `04${'a'.repeat(64)}`, `02${'f'.repeat(64)}`, NODE_ID.slice(2)];
  expect(signer(SIGNATURE, MESSAGE, ids)).toBeUndefined();
  expect(signer(SIGNATURE, MESSAGE, [...ids, NODE_ID])).toBe(NODE_ID);
  expect(signer(SIGNATURE, MESSAGE, [])).toBeUndefined();
});

test('finds the signer if both keys that fit r and s are allowed', () => {
  const digest = doubleHash(MESSAGE);
  const other = Uint8Array.of((headerOf(SIGNATURE) - 31) ^ 1, ...SIGNATURE.slice(1));
  const twin = secp256k1.recoverPublicKey(other, digest, { prehash: false });
  const ids = [Buffer.from(twin).toString('hex'), NODE_ID];
  expect(signer(SIGNATURE, MESSAGE, ids)).toBe(NODE_ID);
  expect(signer(SIGNATURE, MESSAGE, ids.toReversed())).toBe(NODE_ID);
});

test('takes every signature of a node over every message', () => {
  fc.assert(
    fc.property(secretKeys, fc.uint8Array({ maxLength: 300 }), (secret, message) => {
      const nodeId = nodeIdOf(secret);
      expect(signer(signLightning(message, secret), message, [NODE_ID, nodeId])).toBe(nodeId);
    }),
    RUNS,
  );
});

test('refuses every other key', () => {
  fc.assert(
    fc.property(secretKeys, (secret) => {
      fc.pre(!SECRET.equals(secret));
      expect(signer(SIGNATURE, MESSAGE, [nodeIdOf(secret)])).toBeUndefined();
      expect(signer(signLightning(MESSAGE, secret))).toBeUndefined();
    }),
    RUNS,
  );
});

test('refuses every change of one bit of the signature', () => {
  for (let bit = 0; bit < 65 * 8; bit += 1) {
    const changed = Uint8Array.from(SIGNATURE);
    changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    expect(signer(changed), `bit ${bit}`).toBeUndefined();
  }
});

test('refuses every change of the message', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), (message) => {
      fc.pre(!MESSAGE.equals(message));
      expect(signer(SIGNATURE, message)).toBeUndefined();
    }),
    RUNS,
  );
});

test('agrees with recovery alone on every input: OpenSSL only refuses earlier', () => {
  const anything = fc.oneof(
    fc.uint8Array({ minLength: 65, maxLength: 65 }),
    // Inputs near a valid signature: other recovery ids, the other s.
    fc
      .tuple(secretKeys, fc.integer({ min: 31, max: 34 }), fc.boolean())
      .map(([secret, header, isMalleated]) => {
        const signature = signLightning(MESSAGE, secret);
        return isMalleated
          ? malleate(signature, header)
          : Uint8Array.of(header, ...signature.slice(1));
      }),
  );
  fc.assert(
    fc.property(anything, (signature) => {
      const recovered = recoverAlone(signature);
      const ids = [NODE_ID, ...(recovered === undefined ? [] : [recovered])];
      expect(signer(signature, MESSAGE, ids)).toBe(recovered);
    }),
    RUNS,
  );
});

test('hashes twice, as the message of a node demands', () => {
  const once = createHash('sha256').update('Lightning Signed Message:').update(MESSAGE).digest();
  const signature = secp256k1.sign(once, SECRET, { prehash: false, format: 'recovered' });
  const text = Uint8Array.of(31 + (signature[0] ?? 0), ...signature.slice(1));
  expect(signer(text)).toBeUndefined();
});

function headerOf(signature: Uint8Array): number {
  return signature[0] ?? 0;
}

function malleate(signature: Uint8Array, header: number): Uint8Array {
  const s = BigInt(`0x${Buffer.from(signature.slice(33)).toString('hex')}`);
  const other = (secp256k1.Point.Fn.ORDER - s).toString(16).padStart(64, '0');
  return Uint8Array.of(header, ...signature.slice(1, 33), ...Buffer.from(other, 'hex'));
}

function recoverAlone(signature: Uint8Array): string | undefined {
  const recoverable = Uint8Array.of(headerOf(signature) - 31, ...signature.slice(1));
  if (headerOf(signature) < 31) return undefined;
  try {
    const key = secp256k1.recoverPublicKey(recoverable, doubleHash(MESSAGE), { prehash: false });
    return Buffer.from(key).toString('hex');
  } catch {
    return undefined;
  }
}
