// What commands say when the service refuses a call.

import { expect, test } from 'vitest';
import { describeRefusal } from '../../src/cli/operate/refusals.ts';
import { ERRORS } from '../../src/core/errors.ts';
import { withDevice } from '../support/operated.ts';

/** Their words are the faults of the fields; and what only a phone gets. */
const NEVER_TOLD = new Set(['bad_query', 'bad_body', 'machine_unreachable']);

test('no remedy of a command names a route or a header', () => {
  for (const [code, { status, remedy }] of Object.entries(ERRORS)) {
    if (NEVER_TOLD.has(code)) continue;
    const { message } = describeRefusal(status, { code, detail: remedy }, '7');
    expect(message, code).not.toMatch(
      /\/api\/|\b(?:GET|POST) \/|\/readyz|Retry-After|`errors`|`app`/,
    );
    expect(message, code).toContain(`Wait 7 s. (${status} ${code})`);
  }
});

test('a sentence about the one call is kept, and fields become options', () => {
  const full = { code: 'too_many_endpoints', detail: 'There are 20.' };
  expect(describeRefusal(409, full, undefined).message).toBe(
    'There are 20. (409 too_many_endpoints)',
  );
  const errors = [{ field: 'enabled_events.0', message: 'must be the name of an event' }];
  const faulty = { code: 'bad_body', detail: ERRORS.bad_body.remedy, errors };
  expect(describeRefusal(400, faulty, undefined).message).toBe(
    '--events must be the name of an event (400 bad_body)',
  );
});

test('an internal error says by which id the log has its cause', () => {
  const body = { code: 'internal', detail: ERRORS.internal.remedy, instance: 'urn:uuid:01a2' };
  expect(describeRefusal(500, body, undefined).message).toContain('(500 internal, urn:uuid:01a2)');
});

test('commands name the command that helps', async () => {
  const { nds, id } = await withDevice();
  const ID = '01a219cd-970d-71cf-867d-9332ecd8c762';
  for (const [args, words] of [
    [['endpoints', 'show', 'ep_1'], '`nds endpoints list`'],
    [['endpoints', 'add', 'https://example.com/', '--events', 'nothing'], '--events must be'],
    [['devices', 'show', ID], '`nds devices list`'],
    [['devices', 'revoke', id, '--door', 'nothing'], '`nds devices show ID --urls`'],
    [['retry', ID], '`nds find`'],
    [['send', 'a'.repeat(64), '--app', 'nothing'], '`nds apps list`'],
    [['send', id, '--app', 'default'], '--app is known'],
  ] as const) {
    const { stderr } = await nds(...args);
    expect(stderr).toContain(words);
  }
});
