// Times, rates, lifetimes, titles and numbers of the configuration: every well-formed text is read correctly, and every
// other one is refused with a hint at what would fit.

import { expect, test } from 'vitest';
import { type Config, readSettings } from '../../src/config/config.ts';
import fc from '../support/properties.ts';

const UNITS_MS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;
const unit = fc.constantFrom('ms' as const, 's' as const, 'm' as const, 'h' as const, 'd' as const);
const typeName = fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9_:/-]{0,99}$/);

/** The value of one variable, and the faults reported for it. */
function read<Key extends keyof Config>(
  name: string,
  key: Key,
  value: string,
): { readonly value: Config[Key] | undefined; readonly faults: readonly string[] } {
  const { values, faults } = readSettings({ [name]: value });
  return { value: values[key], faults };
}

test('reads a time in any unit, within its limits', () => {
  const HOUR_MS = 3_600_000;
  const MAX_MS = 3_650 * 86_400_000;
  fc.assert(
    fc.property(fc.nat(999_999_999), unit, (count, name) => {
      const ms = count * UNITS_MS[name];
      const { value, faults } = read('NDS_RETENTION', 'retentionMs', `${count}${name}`);
      if (ms >= HOUR_MS && ms <= MAX_MS) expect([value, faults]).toEqual([ms, []]);
      else {
        expect(value).toBeUndefined();
        expect(faults).toEqual([
          expect.stringContaining('NDS_RETENTION must be a time from 1h to'),
        ]);
      }
    }),
  );
});

test('refuses what is not a time', () => {
  const noTime = fc
    .string({ maxLength: 12 })
    .filter((text) => text.trim() !== '' && !/^\d{1,9}(ms|s|m|h|d)$/.test(text.trim()));
  const written = [
    '30',
    '1.5h',
    '-1h',
    '1 h',
    '1H',
    '1h30m',
    '1w',
    'Infinity',
    '1e3s',
    '٣h',
    '0x1h',
  ];
  for (const text of written) {
    expect(read('NDS_RETENTION', 'retentionMs', text).faults, text).toHaveLength(1);
  }
  fc.assert(
    fc.property(noTime, (text) => {
      expect(read('NDS_RETENTION', 'retentionMs', text).faults).toHaveLength(1);
    }),
  );
});

test('reads a rate as burst and calls per second', () => {
  const perSecond = fc.tuple(fc.nat(9_999_999), fc.option(fc.stringMatching(/^\d{1,3}$/)));
  fc.assert(
    fc.property(fc.nat(9_999_999), perSecond, (burst, [whole, fraction]) => {
      const text = fraction === null ? `${whole}` : `${whole}.${fraction}`;
      const { value, faults } = read('NDS_TOKEN_RATE', 'tokenRate', `${burst}/${text}`);
      if (burst >= 1 && Number(text) > 0) {
        expect([value, faults]).toEqual([{ burst, perSecond: Number(text) }, []]);
      } else expect(faults).toEqual(['NDS_TOKEN_RATE both parts must be above 0']);
    }),
  );
  for (const text of ['60', '/1', '60/', '60/1/1', '-60/1', '60/1e3', '60 / 1', '60/.5', 'a/b']) {
    expect(read('NDS_TOKEN_RATE', 'tokenRate', text).faults, text).toHaveLength(1);
  }
});

test('reads lifetimes by type, with any spaces and empty parts between them', () => {
  const entry = fc.tuple(typeName, fc.integer({ min: 9, max: 28 * 24 * 3_600 }));
  const entries = fc.uniqueArray(entry, { maxLength: 8, selector: ([name]) => name });
  fc.assert(
    fc.property(entries, fc.constantFrom(',', ' , ', ',,'), (lifetimes, separator) => {
      const text = lifetimes.map(([name, seconds]) => `${name}=${seconds}s`).join(separator);
      const expected = Object.fromEntries(
        lifetimes.map(([name, seconds]) => [name, seconds * 1_000]),
      );
      expect(read('NDS_LIFETIMES', 'lifetimesMs', text)).toEqual({ value: expected, faults: [] });
    }),
  );
  for (const text of [
    'payment_received',
    '=60s',
    'a=',
    'a=60',
    'a b=60s',
    'a=29d',
    'a=1s=2s',
    '__proto__=60s',
  ]) {
    expect(read('NDS_LIFETIMES', 'lifetimesMs', text).faults, text).toEqual([
      'NDS_LIFETIMES must be a list such as payment_received=60s,swap_updated=24h',
    ]);
  }
});

test('reads titles from JSON, in any script', () => {
  const title = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 60 });
  fc.assert(
    fc.property(fc.dictionary(typeName, title, { maxKeys: 6, noNullPrototype: true }), (titles) => {
      const { value, faults } = read('NDS_TITLES', 'titles', JSON.stringify(titles));
      expect([value, faults]).toEqual([titles, []]);
    }),
  );
  for (const text of [
    'Zahlung',
    '[]',
    '"a"',
    'null',
    '{"a":1}',
    '{"a":""}',
    '{"a":null}',
    `{"a":"${'x'.repeat(201)}"}`,
  ]) {
    expect(read('NDS_TITLES', 'titles', text).faults, text).toHaveLength(1);
  }
});

test('reads whole numbers within their limits, and nothing that only looks like one', () => {
  fc.assert(
    fc.property(fc.integer({ min: -10, max: 20_000 }), (count) => {
      const { value, faults } = read('NDS_MAX_IN_FLIGHT', 'maxInFlight', String(count));
      if (count >= 1 && count <= 10_000) expect([value, faults]).toEqual([count, []]);
      else expect(faults).toEqual(['NDS_MAX_IN_FLIGHT must be a whole number from 1 to 10000']);
    }),
  );
  for (const text of ['1.0', '1e3', '+1', '0x10', '1_000', '1,000', 'one', 'NaN', '٣']) {
    expect(read('NDS_MAX_IN_FLIGHT', 'maxInFlight', text).faults, text).toHaveLength(1);
  }
});

test('never repeats the value of a secret variable', () => {
  const secrets = ['NDS_SECRET', 'NDS_BACKEND_KEYS', 'NDS_APP_KEYS'] as const;
  const value = fc.stringMatching(/^[b-df-hj-np-tv-xz]{6,15}$/);
  fc.assert(
    fc.property(fc.constantFrom(...secrets), value, (name, secret) => {
      const { faults } = readSettings({ [name]: secret });
      expect(faults).toHaveLength(1);
      expect(faults.join()).not.toContain(secret);
    }),
  );
});

test('reads networks, and refuses invalid ones', () => {
  const networks = (value: string) => read('NDS_ADMIN_NETWORKS', 'adminNetworks', value);
  expect(networks('')).toEqual({ value: undefined, faults: [] });
  const { value } = networks('10.0.0.0/8, 2001:db8::/32');
  expect(value?.check('10.255.0.1')).toBe(true);
  expect(value?.check('11.0.0.1')).toBe(false);
  expect(value?.check('2001:db8::1', 'ipv6')).toBe(true);
  for (const wrong of ['10.0.0.0', '10.0.0.0/33', '2001:db8::/129', 'host/8', '10.0.0/8', '/8']) {
    expect(networks(wrong).faults, wrong).toHaveLength(1);
  }
});
