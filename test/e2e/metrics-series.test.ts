// How many series there are after the calls of all callers in all formats, for five apps: each series costs Prometheus
// memory.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { send, startCall } from '../support/callers.ts';
import { type Fixture, loadFixtures, secretsOf } from '../support/fixtures.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { METRICS_ENVIRONMENT, readPage, samplesIn } from '../support/metrics.ts';
import { handleOf, REGISTRY_ENVIRONMENT, register } from '../support/registry.ts';
import { EXTERNAL_URL, type Setup, setup, temporaryFolder } from '../support/service.ts';
import { BREEZ_SOURCES, SIGNED_SOURCES } from '../support/sources.ts';

const APPS = ['default', 'second', 'third', 'fourth', 'fifth'];
/** With receipts in every app. Without them there are 1,300. */
const MAX_SERIES = 2_200;

const receiptKey = z.object({ r: z.string() });

const breez = loadFixtures(BREEZ_SOURCES);
const signed = loadFixtures(SIGNED_SOURCES);

const domainOf = ({ request }: Fixture) => request.path.split('/').at(-1) ?? '';

/** Each app has its own domain, with secrets of its own. */
function domains() {
  const fixtures = signed.filter(({ source }) => source === 'spark_payment_received');
  return Object.fromEntries(
    APPS.flatMap((app) =>
      fixtures.map((fixture) => [
        `${app}.${domainOf(fixture)}`,
        { app, secrets: secretsOf(fixture) },
      ]),
    ),
  );
}

async function setupWithFiveApps(clock: ManualClock): Promise<Setup> {
  const file = join(temporaryFolder(), 'apps.json');
  writeFileSync(file, '{}');
  const running = await setup({
    clock,
    environment: {
      ...METRICS_ENVIRONMENT,
      ...REGISTRY_ENVIRONMENT,
      NDS_APPS_FILE: file,
    },
  });
  const { apns, fcm } = running.sandbox;
  const app = {
    apns: {
      key: apns.key,
      key_id: apns.keyId,
      team_id: apns.teamId,
      topic: apns.topic,
      environment: 'sandbox',
      endpoint: apns.url,
    },
    fcm: { credentials: fcm.serviceAccount, endpoint: fcm.url },
  };
  const apps = APPS.map((name) => [
    name,
    { ...(name === 'default' ? {} : app), receipts: true, second_knock: true },
  ]);
  writeFileSync(file, JSON.stringify(Object.fromEntries(apps)));
  await running.restart({ NDS_SOURCES: JSON.stringify({ domains: domains() }) });
  return running;
}

/** Sends the fixture's calls for an app, without waiting for replies that never come. */
async function play(running: Setup, fixture: Fixture, adapt: (path: string) => string) {
  const calls = [fixture.request, ...fixture.then.map(({ request }) => request)];
  const { url } = running.service;
  for (const call of calls) {
    const adapted = { ...call, path: adapt(call.path) };
    if (fixture.caller_response === undefined) await send(url, adapted);
    else startCall(url, adapted).answer.catch(() => {});
  }
}

/** The fixture's path with the handle that the registry gave out for this app. */
async function registerFor(running: Setup, fixture: Fixture, app: string) {
  if (fixture.source === 'spark_payment_received') {
    for (const [user, devices] of Object.entries(fixture.setup.devices_by_user_pubkey)) {
      for (const device of devices) await register(running, { ...device, app, user });
    }
    return (path: string) => path.replace(domainOf(fixture), `${app}.${domainOf(fixture)}`);
  }
  const door = fixture.request.path.split('/').at(-2) ?? '';
  const signs = !['lsps5', 'epay'].includes(fixture.source);
  const nodeId = fixture.setup.keys?.lsp_node_id;
  let adapt = (path: string) => path;
  for (const [handle, { platform, token }] of Object.entries(fixture.setup.registrations)) {
    const device = await register(running, {
      app,
      platform,
      token,
      ...(signs ? { secrets: { [door]: secretsOf(fixture) } } : {}),
      ...(nodeId === undefined ? {} : { lsp_node_ids: [nodeId] }),
    });
    const before = adapt;
    adapt = (path) => before(path).replace(handle, handleOf(device, door));
  }
  return adapt;
}

/** Every phone sends its receipts. */
async function answerAll({ sandbox, service }: Setup): Promise<void> {
  for (const { data } of sandbox.received()) {
    const { r } = receiptKey.parse(JSON.parse(data.nds ?? '{}'));
    const path = r.slice(EXTERNAL_URL.length);
    for (const stage of ['started', 'connected', 'done', 'failed']) {
      await send(service.url, { path, body: JSON.stringify({ stage }) });
    }
  }
}

test(`has fewer than ${MAX_SERIES} series after all fixtures with five apps`, async () => {
  const clock = new ManualClock();
  const running = await setupWithFiveApps(clock);
  for (const app of APPS) {
    for (const fixture of breez) {
      await play(running, fixture, (path) =>
        path.includes('?') ? `${path}&app=${app}` : `${path}?app=${app}`,
      );
    }
    for (const fixture of signed) {
      await play(running, fixture, await registerFor(running, fixture, app));
    }
    // The number of secp256k1 signatures verified in a second is limited.
    clock.advance(2_000);
  }
  // No phone replies to the invoice requests, so they time out.
  clock.advance(60_000);
  await running.service.settled();
  await answerAll(running);
  await running.service.settled();

  const samples = samplesIn(await readPage(running));
  const apps = new Set(
    samples.filter(({ name }) => name === 'nds_deliveries_total').map(({ labels }) => labels.app),
  );
  expect([...apps].toSorted()).toEqual(APPS.toSorted());
  const sources = samples
    .filter(({ name, labels }) => name === 'nds_calls_total' && labels.result === 'delivered')
    .map(({ labels }) => labels.source);
  expect([...new Set(sources)].toSorted()).toEqual([
    'epay',
    'lsps5',
    'notify',
    'payment_api',
    'paymentflow',
    'resmic',
    'spark_payment_received',
    'spark_ssp',
    'standard',
  ]);
  const byName = Object.groupBy(samples, ({ name }) => name.replace(/_(bucket|sum|count)$/, ''));
  const sizes = Object.entries(byName).map(([name, all]) => [name, all?.length ?? 0]);
  expect(samples.length, JSON.stringify(sizes)).toBeLessThan(MAX_SERIES);
});
