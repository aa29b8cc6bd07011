// A reload: the files of apps, keys and sources are read again, everything is taken over at one moment or nothing, and
// no call in flight is lost.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { ConfigError } from '../../src/config/config.ts';
import { apnsOf } from '../support/apps.ts';
import { type Answer, refusalOf, send } from '../support/callers.ts';
import { paymentBody, registerPhone, successOf, wake } from '../support/device-calls.ts';
import { MINUTE, setupDriven } from '../support/driven-service.ts';
import { METRICS_ENVIRONMENT, readPage } from '../support/metrics.ts';
import { pathOf, REGISTRY_ENVIRONMENT } from '../support/registry.ts';
import {
  ANDROID_TOKEN,
  EXTERNAL_URL,
  IOS_TOKEN,
  notifyPath,
  type Setup,
  type SetupOptions,
  setup,
  temporaryFolder,
} from '../support/service.ts';
import { resmicCall } from '../support/signed-calls.ts';

interface Reloading {
  readonly running: Setup;
  /** Writes the file of the apps and reloads. */
  reloadApps(apps: object): ReturnType<Setup['service']['reload']>;
  reloadSources(sources: object): ReturnType<Setup['service']['reload']>;
  push(app: string, hash: string): Promise<Answer>;
}

async function start(options: SetupOptions = {}): Promise<Reloading> {
  const folder = temporaryFolder();
  const apps = join(folder, 'apps.json');
  const sources = join(folder, 'sources.json');
  const write = (file: string, content: object) => writeFileSync(file, JSON.stringify(content));
  write(apps, {});
  write(sources, {});
  const running = await setup({
    sandbox: { topics: ['com.example.wallet', 'com.example.second'] },
    ...options,
    environment: {
      ...REGISTRY_ENVIRONMENT,
      ...METRICS_ENVIRONMENT,
      NDS_APPS_FILE: apps,
      NDS_SOURCES_FILE: sources,
    },
  });
  await running.service.reach;
  return {
    running,
    reloadApps: async (content) => {
      write(apps, content);
      return await running.service.reload();
    },
    reloadSources: async (content) => {
      write(sources, content);
      return await running.service.reload();
    },
    push: (app, hash) =>
      send(running.service.url, {
        path: notifyPath(IOS_TOKEN, { app }),
        body: paymentBody(hash),
      }),
  };
}

test('adds, changes and removes apps, and keeps the connections of those that stay', async () => {
  const { running, reloadApps, push } = await start();
  expect(refusalOf(await push('second', 'a1'))).toBe('404 unknown_app');
  await push('default', 'a1');
  // Its token is proven by now, and uses the connection of proven tokens.
  await push('default', 'b1');
  const apns = apnsOf(running.sandbox, { topic: 'com.example.second' });
  const added = await reloadApps({ second: { apns } });
  expect(added).toEqual({
    opened: ['second/apns'],
    closed: [],
    kept: ['default/apns', 'default/fcm'],
  });
  expect((await push('second', 'a2')).status).toBe(200);
  expect(Object.keys(running.service.readiness().checks)).toContain('second/apns');

  const titles = { payment_received: 'Changed' };
  const changed = await reloadApps({ second: { apns, titles } });
  expect(changed.opened).toEqual([]);
  expect((await push('second', 'a3')).status).toBe(200);
  const keys = { type: 'kind' };
  const reopened = await reloadApps({ second: { apns, keys } });
  expect([reopened.opened, reopened.closed]).toEqual([['second/apns'], ['second/apns']]);
  expect((await push('second', 'a4')).status).toBe(200);
  const pushes = running.sandbox.received().slice(2);
  expect(pushes.map(({ title }) => title)).toEqual([
    'Incoming payment',
    'Changed',
    'Incoming payment',
  ]);
  expect(pushes.map(({ data }) => data.kind)).toEqual([undefined, undefined, 'payment_received']);

  const removed = await reloadApps({});
  expect(removed.closed).toEqual(['second/apns']);
  expect(refusalOf(await push('second', 'a5'))).toBe('404 unknown_app');
  await push('default', 'a6');
  const connections = running.sandbox.received().map(({ connection }) => connection);
  expect(connections.at(-1)).toBe(connections[1]);
});

test('metrics name an app that a reload added, and none that it removed', async () => {
  const { running, reloadApps, push } = await start();
  const apns = apnsOf(running.sandbox, { topic: 'com.example.second' });
  await reloadApps({ second: { apns } });
  await push('second', 'a1');
  await running.service.settled();
  const after = await readPage(running);
  expect(after).toMatch(/nds_deliveries_total\{[^}]*app="second"[^}]*status="delivered"[^}]*\} 1/);
  expect(after).toMatch(/nds_streams\{[^}]*app="second"/);
  await reloadApps({});
  expect(await readPage(running)).not.toMatch(/nds_streams\{[^}]*app="second"/);
});

test('a fault in any file keeps all that is loaded, and names every fault', async () => {
  const { running, reloadApps, reloadSources, push } = await start();
  const apns = apnsOf(running.sandbox, { topic: 'com.example.second' });
  await reloadApps({ second: { apns, titles: { payment_received: 'Second' } } });
  const bad = {
    second: { apns, titles: { payment_received: 'Lost' } },
    third: { apns: { ...apns, key_id: 'short' } },
  };
  await expect(reloadApps(bad)).rejects.toThrow(/third\.apns\.key_id/);
  await expect(reloadApps({ second: { apns: { ...apns, topic: '..' } } })).rejects.toBeInstanceOf(
    ConfigError,
  );
  expect((await push('second', 'a1')).status).toBe(200);
  expect(running.sandbox.received().at(-1)?.title).toBe('Second');
  expect(refusalOf(await push('third', 'a2'))).toBe('404 unknown_app');
  // The file of the apps is valid again, that of the sources is not.
  await reloadApps({ second: { apns } });
  await expect(reloadSources({ secrets: { nobody: {} } })).rejects.toThrow(/there is no such app/);
  expect((await push('second', 'a3')).status).toBe(200);
});

test('secrets, generic sources and types change from the next call on', async () => {
  const { running, reloadApps, reloadSources } = await start();
  const device = await registerPhone(running);
  const post = (secret: string, id: string) =>
    send(running.service.url, resmicCall({ path: pathOf(device, 'resmic'), secret, id }));
  expect((await post('new secret', '1')).status).toBe(401);
  await reloadSources({ secrets: { default: { resmic: ['new secret'] } } });
  expect(successOf(await post('new secret', '2')).status).toBe('delivered');
  await reloadSources({ secrets: { default: { resmic: ['newer secret'] } } });
  expect((await post('new secret', '3')).status).toBe(401);
  await reloadApps({ default: { types: ['swap_updated'] } });
  expect(refusalOf(await wake(running, device, 'a1'))).toBe('422 type_not_supported');
  expect(successOf(await post('newer secret', '4')).status).toBe('ignored');
});

test('a push in flight during the reload of its app ends with the old settings', async () => {
  const { running, reloadApps, push } = await start();
  const apns = apnsOf(running.sandbox, { topic: 'com.example.second' });
  await reloadApps({ second: { apns } });
  await push('second', 'a0');
  running.sandbox.script({
    provider: 'apns',
    times: 20,
    fault: { kind: 'delay', delayMs: 300 },
  });
  const calls = Array.from({ length: 20 }, (_, index) => push('second', `b${index}`));
  await running.sandbox.waitForRequests(({ token }) => token === IOS_TOKEN, 21);
  await reloadApps({ second: { apns, keys: { type: 'kind' } } });
  await reloadApps({});
  const answers = await Promise.all(calls);
  expect(answers.map(({ status }) => status)).toEqual(Array(20).fill(200));
  expect(running.sandbox.received()).toHaveLength(21);
});

test('a planned second knock is not sent if a reload forbids it', async () => {
  const folder = temporaryFolder();
  const file = join(folder, 'apps.json');
  const write = (settings: object) => writeFileSync(file, JSON.stringify({ default: settings }));
  const knocking = { receipts: true, second_knock: true };
  write(knocking);
  const driven = await setupDriven({ environment: { NDS_APPS_FILE: file } });
  const { running } = driven;
  await driven.pay(ANDROID_TOKEN, 'a0');
  const address = /https:[^"]+\/r\/[\w-]+/.exec(running.sandbox.received().at(-1)?.data.nds ?? '');
  const path = address?.[0].slice(EXTERNAL_URL.length) ?? '';
  await send(running.service.url, { path, body: '{"stage":"started"}' });
  await running.service.settled();

  const pushesOf = async (hash: string, settings: object) => {
    await driven.elapse(MINUTE);
    write(knocking);
    await running.service.reload();
    const before = running.sandbox.received().length;
    await driven.pay(ANDROID_TOKEN, hash);
    await driven.elapse(5_000);
    write(settings);
    await running.service.reload();
    await driven.elapse(2_000);
    await running.service.settled();
    return running.sandbox.received().length - before;
  };
  expect(await pushesOf('a1', { receipts: true })).toBe(1);
  expect(await pushesOf('a2', {})).toBe(1);
  expect(await pushesOf('a3', knocking)).toBe(2);
});

/** A service whose app `wallet` has one queued delivery, and was then removed from the file of the apps. */
async function queueAndLeave(template: object) {
  const folder = temporaryFolder();
  const file = join(folder, 'apps.json');
  writeFileSync(file, '{}');
  const driven = await setupDriven({ environment: { NDS_APPS_FILE: file } });
  const { running } = driven;
  const { fcm } = running.sandbox;
  const app = { fcm: { credentials: fcm.serviceAccount, endpoint: fcm.url } };
  const reload = async (apps: object) => {
    writeFileSync(file, JSON.stringify(apps));
    await running.service.reload();
  };
  await reload({ wallet: app });
  const unavailable = { kind: 'fcm_error', error: 'UNAVAILABLE' } as const;
  running.sandbox.script({ provider: 'fcm', times: 1, fault: unavailable });
  const path = notifyPath(ANDROID_TOKEN, { app: 'wallet' });
  const answer = await send(running.service.url, { path, body: JSON.stringify(template) });
  expect(successOf(answer).status).toBe('queued');
  await reload({});
  return { ...driven, comeBack: () => reload({ wallet: app }) };
}

test('a delivery that is queued for an app is sent when the app comes back', async () => {
  const news = { template: 'tx_confirmed', data: { tx_id: 'aa' } };
  const { running, elapse, comeBack } = await queueAndLeave(news);
  await elapse(30_000);
  expect(running.sandbox.received()).toEqual([]);
  await comeBack();
  await elapse(1_000);
  await running.sandbox.waitFor(() => true, 1);
});

test('a delivery that is queued for a removed app ends when it is too old, also after a restart', async () => {
  const race = { template: 'payment_received', data: { payment_hash: 'aa' } };
  const { running, clock, elapse, rows } = await queueAndLeave(race);
  await running.restart();
  await elapse(50_000, 10_000);
  expect(await rows()).toMatchObject([{ status: 'queued', app: 'wallet' }]);
  await elapse(30_000, 10_000);
  expect(await rows()).toMatchObject([{ status: 'expired', app: 'wallet' }]);
  const queue = await running.service.store.queueState({ nowMs: clock.nowMs() });
  expect(queue.deliveries).toBe(0);
  expect(running.sandbox.received()).toEqual([]);
});
