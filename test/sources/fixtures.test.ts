import { expect, test } from 'vitest';
import { CATALOGUE, completeNotification } from '../../src/core/notification.ts';
import type { Source, SourceCredentials } from '../../src/core/ports/source.ts';
import { createSources } from '../../src/sources/all-sources.ts';
import { LSPS5_DEFAULTS } from '../../src/sources/lsps5.ts';
import { type Fixture, loadFixtures, secretsOf } from '../support/fixtures.ts';
import { call, credentials, notificationOf, type Result, requestOf } from './calls.ts';

const sources = createSources({ lsps5: LSPS5_DEFAULTS, generic: [] });

/** The fixtures use the name of the standard, the path uses the short name. */
const PATH_NAMES: Readonly<Record<string, string>> = { standard_webhooks: 'standard' };

const FIXTURE_SOURCES = [
  'lsps5',
  'spark_ssp',
  'spark_payment_received',
  'standard_webhooks',
  'resmic',
  'paymentflow',
  'payment_api',
  'epay',
] as const;

/** The door refuses these before a source is asked: another method, an unknown handle. */
const OF_THE_DOOR = new Set(['lsps5/get', 'lsps5/unknown_handle', 'epay/unknown_handle']);

for (const name of FIXTURE_SOURCES) {
  const fixtures = loadFixtures([name]).filter(
    (fixture) => !OF_THE_DOOR.has(`${fixture.source}/${fixture.case}`),
  );
  test.each(fixtures.map((fixture) => [fixture.case, fixture.about, fixture] as const))(
    `${name}: %s (%s)`,
    (_case, _about, fixture) => checkFixture(sourceOf(name), fixture),
  );
}

test('every source of the fixtures is in the list, and has fixtures', () => {
  const names = FIXTURE_SOURCES.map((name) => PATH_NAMES[name] ?? name);
  expect(names.toSorted()).toEqual([...sources.keys()].toSorted());
  for (const name of FIXTURE_SOURCES) expect(loadFixtures([name]).length, name).toBeGreaterThan(8);
});

function sourceOf(name: string): Source {
  const source = sources.get(PATH_NAMES[name] ?? name);
  if (source === undefined) throw new Error(`no source ${name}`);
  return source;
}

function checkFixture(source: Source, fixture: Fixture): void {
  const known = credentialsOf(fixture);
  const request = requestOf({ ...fixture.request, receivedAtMs: fixture.now_unix_ms });
  const first = call(source, request, known);
  checkStatus(first, fixture.expect);
  expect('parsed' in first && first.parsed.kind).toBe(
    { valid: 'notification', ignored: 'ignored', invalid: false }[fixture.kind],
  );
  if (fixture.kind !== 'valid') return;
  checkPush(first, fixture.expect);
  const { devices_by_user_pubkey: devices } = fixture.setup;
  if (Object.keys(devices).length > 0) {
    const user = 'parsed' in first && first.parsed.kind === 'notification' && first.parsed.user;
    expect(Object.keys(devices)).toContain(user);
  }
  for (const step of fixture.then) {
    const receivedAtMs = fixture.now_unix_ms + step.after_ms;
    const next = call(source, requestOf({ ...step.request, receivedAtMs }), known);
    checkStatus(next, step.expect);
    expect(step.expect.push).toBe(false);
    const { duplicateOf } = notificationOf(first);
    expect(notificationOf(next).duplicateOf).toEqual(duplicateOf);
    expect(duplicateOf?.windowMs).toBeGreaterThan(step.after_ms);
  }
}

function checkStatus(result: Result, expected: Fixture['expect']): void {
  const accepted = expected.accept_status ?? [expected.status];
  expect(accepted, 'error' in result ? result.error.message : undefined).toContain(result.status);
}

function checkPush(result: Result, expected: Fixture['expect']): void {
  const completed = completeNotification(notificationOf(result), CATALOGUE);
  expect(completed.type).toBe(expected.notification_type);
  expect(completed.title).toBe(expected.title);
  expect([expected.notification_payload, expected.notification_payload_plain]).toContain(
    completed.payload,
  );
}

function credentialsOf(fixture: Fixture): SourceCredentials {
  const devices = Object.values(fixture.setup.registrations);
  const nodeIds = devices.map((device) => device.lsp_node_id);
  return credentials({
    secrets: secretsOf(fixture),
    nodeIds: nodeIds.filter((nodeId) => nodeId !== undefined),
  });
}
