import { expect, test } from 'vitest';
import { parseDigits, parseRfc3339 } from '../../src/sources/time.ts';
import fc from '../support/properties.ts';

test('reads every instant in every zone and with any number of fractional digits', () => {
  const minutes = fc.integer({ min: -23 * 60 - 59, max: 23 * 60 + 59 });
  const years = { min: new Date('0001-01-02T00:00:00Z'), max: new Date('9999-12-30T00:00:00Z') };
  fc.assert(
    fc.property(
      fc.date({ ...years, noInvalidDate: true }),
      minutes,
      fc.stringMatching(/^\d{0,9}$/),
      (date, zone, more) => {
        const local = new Date(date.getTime() + zone * 60_000).toISOString().slice(0, -1);
        const sign = zone < 0 ? '-' : '+';
        const two = (part: number) => String(part).padStart(2, '0');
        const offset = `${sign}${two(Math.floor(Math.abs(zone) / 60))}:${two(Math.abs(zone) % 60)}`;
        expect(parseRfc3339(`${local}${more}${offset}`)).toBe(date.getTime());
      },
    ),
  );
});

test.each([
  ['2016-12-31T23:59:60Z', Date.UTC(2017, 0, 1)],
  ['2024-02-29T00:00:00z', Date.UTC(2024, 1, 29)],
  ['2025-08-01t12:00:00-00:00', Date.UTC(2025, 7, 1, 12)],
  ['1970-01-01T00:00:00.999999999Z', 999],
])('reads %s', (text, expected) => expect(parseRfc3339(text)).toBe(expected));

test.each(['2023-02-29T00:00:00Z', '2025-00-01T00:00:00Z', '2025-08-32T00:00:00Z'])(
  'refuses %s, which is not a day',
  (text) => expect(parseRfc3339(text)).toBeUndefined(),
);

test('takes only digits for a number', () => {
  expect(parseDigits('0001754049600')).toBe(1_754_049_600);
  for (const text of ['', '1.0', '-1', '1e3', '٣', ' 1', '1'.repeat(16)]) {
    expect(parseDigits(text), text).toBeUndefined();
  }
});
